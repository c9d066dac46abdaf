/** The frame around every page: head, masthead, footer. */

import { CLIENT_SCRIPT } from "./client_script.ts";
import { Island } from "./components/island.tsx";
import { ThemeSwitch } from "./islands/theme_switch.tsx";
import type { Page, Place } from "./route.ts";
import type { Theme } from "./theme.ts";

const PLACES: readonly (readonly [place: Place, path: string, name: string])[] = [
  ["runs", "/", "Runs"],
  ["scenarios", "/scenarios", "Scenarios"],
  ["live", "/live", "Live"],
  ["help", "/help", "Help"],
];

/** See the module comment. */
export function Frame(
  { page, theme, version }: {
    readonly page: Page;
    readonly theme: Theme;
    readonly version: string;
  },
) {
  return (
    <html lang="en" data-theme={theme === "system" ? undefined : theme}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{`${page.title} · Xenarium`}</title>
        <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/assets/style.css" />
        <script type="module" src={`/assets/${CLIENT_SCRIPT}`}></script>
        {page.refreshSeconds && <meta http-equiv="refresh" content={String(page.refreshSeconds)} />}
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header class="masthead">
          <div>
            <a class="brand" href="/">
              <Mark />Xenarium
            </a>
            <nav aria-label="Main">
              {PLACES.map(([place, path, name]) => (
                <a key={place} href={path} aria-current={place === page.place ? "page" : undefined}>
                  {name}
                </a>
              ))}
            </nav>
            <Island name="theme_switch" of={ThemeSwitch} props={{ initial: theme }} />
          </div>
        </header>
        <main id="main" tabindex={-1}>
          <h1>{page.title}</h1>
          {page.body}
        </main>
        <footer class="colophon">
          Xenarium {version}. All times in figures are simulated unless they say otherwise.
        </footer>
      </body>
    </html>
  );
}

function Mark() {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" aria-hidden="true">
      <rect x="2.5" y="2.5" width="19" height="19" rx="4" />
      <path d="M7.5 7.5l9 9m0-9l-9 9" stroke-linecap="round" />
    </svg>
  );
}
