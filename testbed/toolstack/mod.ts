/**
 * The toolstack: domains from `xl.cfg` files, and everything that `xl` does to them, as methods, as verbs, as listings.
 *
 * ```ts ignore
 * const tools = Toolstack.of(await Host.boot({ memory: "1GiB" }));
 * await tools.create("web1.cfg");
 * console.log(listDomains(tools));
 * ```
 */

export { DomainControls, type DomainReference } from "./domain_controls.ts";
export * from "./listings.ts";
export { type SavedDomain, Toolstack } from "./toolstack.ts";
export {
  runVerb,
  type SavedDomainFiles,
  type Verb,
  verbHelp,
  VERBS,
  wordsOf,
  type XlSession,
} from "./verbs.ts";
export {
  type DomainSettings,
  domainSettings,
  type ShutdownAction,
} from "./xl_cfg/domain_settings.ts";
export { savedDomainFiles } from "./saved_domain_files.ts";
