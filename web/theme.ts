/** The colour themes: what the system prefers, or one that the visitor chose; kept in a cookie. */

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = typeof THEMES[number];
/** Readable by the page's script, so that the server can render the next page in the same colours. */
export const THEME_COOKIE = "xenarium_theme";
