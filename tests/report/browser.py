"""Chromium, told what to do over a pipe by its DevTools protocol; no package is needed.

A page is used as a person uses it, with clicks and keys, and tells what went wrong on it.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
_SECONDS = 60
_OPTIONS = (
    "--headless=new",
    "--disable-gpu",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--window-size=1400,1000",
    "--remote-debugging-pipe",
)
#: The protocol is spoken over 3 and 4.
_START = """
import os, sys
ends = [int(end) for end in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
_KEYS = {"Enter": "\r"}
#: Two frames of a page.
FRAMES = "new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)))"


class Browser:
    """A running Chromium."""

    def __init__(self, reads: int, writes: int) -> None:
        self._reads, self._writes = reads, writes
        self._rest = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """The result of a method of the protocol."""
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        os.write(self._writes, json.dumps(message).encode() + b"\0")
        while True:
            found = self._next()
            if found.get("id") == number:
                if "error" in found:
                    raise RuntimeError(f"{method}: {found['error']['message']}")
                result: dict[str, Any] = found["result"]
                return result
            self.events.append(found)

    def wait(self, meant: Callable[[dict[str, Any]], bool]) -> None:
        """Take what the browser says until it says what is meant."""
        seen = 0
        while True:
            for event in self.events[seen:]:
                seen += 1
                if meant(event):
                    return
            self.events.append(self._next())

    def page(self, url: str, **metrics: int) -> Page:
        """A page that has been loaded."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable", session)
        made = Page(self, session, target)
        made.call("Page.bringToFront")
        if metrics:
            made.call("Emulation.setDeviceMetricsOverride", deviceScaleFactor=1, **metrics)
        self.call("Page.navigate", session, url=url)
        self.wait(lambda e: e.get("sessionId") == session and e["method"] == "Page.loadEventFired")
        return made

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            if not select.select([self._reads], [], [], _SECONDS)[0]:
                raise TimeoutError(f"chromium said nothing for {_SECONDS} seconds")
            part = os.read(self._reads, 1 << 16)
            if not part:
                raise RuntimeError("chromium has ended")
            self._rest += part
        text, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(text)
        return found


class Page:
    """A page, and what can be done on it."""

    def __init__(self, browser: Browser, session: str, target: str) -> None:
        self.browser, self.session, self.target = browser, session, target

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self.browser.call(method, self.session, **params)

    def close(self) -> None:
        self.browser.call("Target.closeTarget", targetId=self.target)

    def value(self, script: str) -> Any:
        """What an expression of JavaScript gives, when it is settled."""
        found = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in found:
            raise RuntimeError(json.dumps(found["exceptionDetails"]))
        return found["result"].get("value")

    def text(self, selector: str) -> str:
        """The text that a person reads in an element."""
        return str(self.value(f"document.querySelector({json.dumps(selector)}).innerText"))

    def click(self, selector: str) -> None:
        """Press the mouse where an element is."""
        where = self.value(
            f"(async () => {{ const e = document.querySelector({json.dumps(selector)});"
            " if (!e.closest('svg')) e.scrollIntoView({ block: 'center', behavior: 'instant' });"
            # Where something is, is known to who moves the mouse a frame later.
            f" await {FRAMES}; const r = e.getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent",
                type=kind,
                x=where[0],
                y=where[1],
                button="left",
                clickCount=1,
            )

    def key(self, name: str) -> None:
        """Press a key."""
        text = _KEYS.get(name, name if len(name) == 1 else "")
        more = {"text": text} if text else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=name, code=name, **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=name, code=name)

    def write(self, text: str) -> None:
        """Write into what has the focus."""
        self.call("Input.insertText", text=text)

    @property
    def trouble(self) -> list[Any]:
        """Errors and warnings of the console, and exceptions."""
        names = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        return [e["params"] for e in self._events() if e["method"] in names]

    @property
    def requests(self) -> list[str]:
        """What the page asked for."""
        sent = (e for e in self._events() if e["method"] == "Network.requestWillBeSent")
        return [e["params"]["request"]["url"] for e in sent]

    def _events(self) -> Iterator[dict[str, Any]]:
        self.value("0")  # what was said before has been heard
        return (e for e in self.browser.events if e.get("sessionId") == self.session)


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A Chromium with a profile in a folder."""
    own = ["--no-sandbox"] if os.geteuid() == 0 else []
    theirs, ours = os.pipe(), os.pipe()
    # They may be 3 and 4 themselves, which are still needed.
    high = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (theirs[0], ours[1])]
    for end in (theirs[0], ours[1]):
        os.close(end)
    command = [str(CHROMIUM), *_OPTIONS, *own, f"--user-data-dir={folder / 'profile'}"]
    child = subprocess.Popen(
        [sys.executable, "-c", _START, *map(str, high), *command, "about:blank"],
        pass_fds=high,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for end in high:
        os.close(end)
    try:
        yield Browser(ours[0], theirs[1])
    finally:
        child.terminate()
        child.wait(_SECONDS)
        os.close(theirs[1])
        os.close(ours[0])
