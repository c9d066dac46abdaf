/** The islands there are, by the names of their files. */
export const ISLAND_NAMES = ["theme_switch", "live_view", "console"] as const;
export type IslandName = typeof ISLAND_NAMES[number];
