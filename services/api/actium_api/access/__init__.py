"""Who is let in, and what he may: `callers` and `gate` say who, `rules`, `policy` and `needs` what, `demands` insists on it."""
