"""What a machine of namespaces is refused before anything is made for it."""

from pathlib import Path

import pytest

from actium_compute.adapters.namespaces import NamespaceMachines, NamespaceSettings
from actium_compute.ports import MachinePort, MachineWish
from actium_shared.errors import PermanentError


@pytest.mark.parametrize("tag", ["../elsewhere", "{elsewhere}", "images/../../elsewhere", "..", ".", "", ".half-made"])
async def test_no_tag_leads_out_of_the_images_folder(tmp_path: Path, tag: str) -> None:
    for folder in (tmp_path, tmp_path / "elsewhere", tmp_path / "images", tmp_path / "images" / ".half-made"):
        folder.mkdir(exist_ok=True)
        (folder / "init").touch()
    settings = NamespaceSettings(
        images_folder=tmp_path / "images", amphorae_folder=tmp_path / "amphorae", fabric_namespace="none"
    )
    wish = MachineWish(
        amphora_id="a",
        image_tag=tag.format(elsewhere=tmp_path / "elsewhere"),
        management_port=MachinePort(port_id="p", mac="02:00:00:00:00:01", address="10.0.0.1", prefix_length=24),
        files=dict,
    )
    with pytest.raises(PermanentError, match="there is no image"):
        await NamespaceMachines(settings).boot(wish, timeout_s=1)
    assert not (tmp_path / "amphorae" / "a").exists()
