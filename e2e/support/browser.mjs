// The browser all of this runs in.
import { chromium } from "playwright-core";

/**
 * A headless Chromium that talks to nobody but this machine. `disable-features` replaces Playwright's own list:
 * that one switches the partitioning of third parties' storage off, and then a frame of another site
 * has no storage at all, which is not what visitors have. `more`: more flags.
 */
export const launch = (more = []) =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--disable-features=DestroyProfileOnBrowserClose,HttpsUpgrades,PaintHolding,Translate",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
      ...more,
    ],
  });
