/**
 * The translator: hot guest code as WebAssembly functions. It reads the same definitions as the cold tier, on which it
 * stands, and is told apart from it by nothing but speed.
 *
 * ```ts ignore
 * const engine = new HotEngine(parts); // parts as for the cold tier
 * ```
 */

export { HotEngine, type HotEngineOptions, type TranslatedRegion } from "./hot_engine.ts";
export type { Region, RegionBlock } from "./region.ts";
export type { ExitReason } from "./region_exits.ts";
export type { RegionCount } from "./region_profile.ts";
