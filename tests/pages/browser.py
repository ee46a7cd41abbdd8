"""A real Chromium that says what went wrong on the pages it was on."""

import os
import shutil
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright

# Runs before anything of a page and is not of the page: it counts what the page must not do.
WATCH = """
window.__broken = [];
document.addEventListener("securitypolicyviolation", (event) => window.__broken.push(
  `${event.violatedDirective} by ${event.blockedURI} ${event.sample} at ${event.lineNumber}`));
"""


def chromium() -> str | None:
    """The browser of the system."""
    asked = os.environ.get("QUARK_TRACE_CHROMIUM")
    return asked or shutil.which("chromium") or shutil.which("chromium-browser")


def launched(playwright: Playwright) -> Browser:
    """A browser without a window."""
    # In a container there is no sandbox to be had; the pages are our own.
    return playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])


class Visitor:
    """Somebody with a browser, and what they came across."""

    def __init__(self, browser: Browser, url: str, **how: object):
        how.setdefault("viewport", {"width": 1280, "height": 900})
        self.url = url
        self.context: BrowserContext = browser.new_context(accept_downloads=True, **how)
        self.context.add_init_script(WATCH)
        self.page: Page = self.context.new_page()
        self.faults: list[str] = []
        self.expected_failures = 0
        self.page.on("dialog", self._dialog)
        self.page.on("pageerror", lambda error: self.faults.append(f"script failed: {error}"))
        self.page.on("console", self._console)
        self.page.on("request", self._request)

    def _dialog(self, dialog) -> None:
        self.faults.append(f"a dialog on {self.page.url}: {dialog.message}")
        dialog.dismiss()

    def _console(self, message: ConsoleMessage) -> None:
        if message.type != "error":
            return
        if "status of" in message.text and self.expected_failures > 0:
            return
        self.faults.append(f"console on {self.page.url}: {message.text}")

    def _request(self, request) -> None:
        if not request.url.startswith(self.url):
            self.faults.append(f"a request leaves: {request.url}")

    def go(self, path: str) -> int:
        """Opens a page; gives its status."""
        answer = self.page.goto(self.url + path)
        self.check()
        return answer.status if answer else 0

    def check(self) -> None:
        """Nothing ran, nothing was blocked, nothing was said."""
        broken = self.page.evaluate("window.__broken || []") if self.scripted else []
        assert not broken and not self.faults, (self.page.url, broken, self.faults)

    scripted = True

    def sign_in(self, key: str) -> None:
        """Signs in with a key, from the page that asks for it."""
        self.page.goto(self.url + "/ui/sign-in")
        self.page.fill("#key", key)
        self.page.click("text=Sign in >> nth=-1")
        self.page.wait_for_url(self.url + "/ui/")

    def shot(self, folder: Path, name: str) -> None:
        """A picture of the whole page."""
        folder.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=folder / f"{name}.png", full_page=True)

    def close(self) -> None:
        self.context.close()
