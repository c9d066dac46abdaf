/** Chooses light, dark, or what the system prefers. */

import { useState } from "preact/hooks";
import { type Theme, THEME_COOKIE, THEMES } from "../theme.ts";

const YEAR_SECONDS = 365 * 24 * 3600;
const NAMES: Readonly<Record<Theme, string>> = {
  system: "As the system",
  light: "Light",
  dark: "Dark",
};

/** See the module comment. */
export function ThemeSwitch({ initial }: { readonly initial: Theme }) {
  const [theme, setTheme] = useState(initial);
  const choose = (chosen: Theme) => {
    setTheme(chosen);
    document.cookie = `${THEME_COOKIE}=${chosen}; Path=/; Max-Age=${YEAR_SECONDS}; SameSite=Strict`;
    if (chosen === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = chosen;
    document.dispatchEvent(new Event("themechange"));
  };
  return (
    <label class="row">
      <span class="hidden">Colours</span>
      <select
        value={theme}
        onChange={({ currentTarget }) => choose(currentTarget.value as Theme)}
      >
        {THEMES.map((each) => (
          <option key={each} value={each} selected={each === theme}>{NAMES[each]}</option>
        ))}
      </select>
    </label>
  );
}
