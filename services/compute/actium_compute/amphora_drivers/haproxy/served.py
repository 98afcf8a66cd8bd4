"""What of a load balancer haproxy serves: which listeners, and by which pools and policies. Shared by all that reads a wish."""

from collections.abc import Iterator
from dataclasses import dataclass

from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.wishes import L7PolicyWish, Listener, LoadBalancerWish, PoolWish

ELSEWHERE = frozenset(("UDP",))
"""Protocols that the kernel balances: see `nftables`."""


@dataclass(frozen=True, slots=True)
class Served:
    """A listener that is up, its default pool, and the policies that can match, in order; all pools are up."""

    wish: LoadBalancerWish
    listener: Listener
    default_pool: PoolWish | None
    policies: tuple[tuple[L7PolicyWish, PoolWish | None], ...]

    @property
    def pools(self) -> tuple[PoolWish, ...]:
        """Each pool once, in the order of its first use."""
        found = [self.default_pool, *(pool for _, pool in self.policies)]
        return tuple({pool.pool.id: pool for pool in found if pool}.values())


def served(order: ConfigureAmphora) -> Iterator[Served]:
    for wish in order.load_balancers:
        if wish.load_balancer.admin_state_up:
            for listener in wish.listeners:
                if listener.admin_state_up and listener.protocol not in ELSEWHERE:
                    yield _served(wish, listener)


def _served(wish: LoadBalancerWish, listener: Listener) -> Served:
    pools = {pool.pool.id: pool for pool in wish.pools if pool.pool.admin_state_up}
    policies = sorted(
        (one for one in wish.l7_policies if one.policy.listener_id == listener.id), key=lambda one: one.policy.position
    )
    chosen = [
        (_less_rules(one), pools.get(one.policy.redirect_pool_id) if one.policy.redirect_pool_id else None)
        for one in policies
        if one.policy.admin_state_up
    ]
    return Served(
        wish=wish,
        listener=listener,
        default_pool=pools.get(listener.default_pool_id) if listener.default_pool_id else None,
        policies=tuple((one, pool) for one, pool in chosen if one.rules and not _lacks_its_pool(one, pool)),
    )


def _less_rules(wish: L7PolicyWish) -> L7PolicyWish:
    # A policy without rules would match everything, which nobody meant who switched the last one off.
    return L7PolicyWish(policy=wish.policy, rules=tuple(rule for rule in wish.rules if rule.admin_state_up))


def _lacks_its_pool(wish: L7PolicyWish, pool: PoolWish | None) -> bool:
    return wish.policy.action == "REDIRECT_TO_POOL" and pool is None
