"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from prototxt_gen._files import whole_file
from prototxt_gen.cli import run


def test_an_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.write_text("old")
    with pytest.raises(ValueError, match="oops"), whole_file(target) as file:
        file.write(b"new")
        raise ValueError("oops")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_is_followed_and_a_device_written(tmp_path: Path) -> None:
    target, link = tmp_path / "x", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    with whole_file(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    with whole_file(os.devnull) as file:
        file.write(b"gone")
    assert Path(os.devnull).is_char_device()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_an_error_and_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gen", "resnet18", "-o", "/dev/full"]) == 2
    err = capsys.readouterr().err
    assert os.strerror(errno.ENOSPC) in err
    assert "Traceback" not in err


def test_ctrl_c_leaves_no_half_file(tmp_path: Path) -> None:
    net = tmp_path / "net.prototxt"
    assert run(["gen", "resnet152", "-o", str(net)]) == 0
    target = tmp_path / "net.caffemodel"
    target.write_bytes(b"old")
    process = subprocess.Popen(
        [sys.executable, "-m", "prototxt_gen", "weights", "init", str(net), "-o", str(target)],
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        if len(list(tmp_path.iterdir())) > 2:  # the temporary file is there
            process.send_signal(signal.SIGINT)
            break
        time.sleep(0.001)
    _, err = process.communicate()
    if process.returncode == 0:
        pytest.skip("it was done before it could be interrupted")
    assert b"Traceback" not in err
    assert target.read_bytes() == b"old"
    assert sorted(tmp_path.iterdir()) == [target, net]
