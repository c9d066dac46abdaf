/**
 * The dashboard: runs beside published figures, what goes on now, consoles, scenarios started from a page. It is a
 * reader of the run store and of live samples; what it shows is measured elsewhere.
 *
 * ```ts ignore
 * const dashboard = serveDashboard({ services: testbedServices(store) });
 * console.log(dashboard.url);
 * ```
 */

export { type Dashboard, type DashboardOptions, DEFAULT_PORT, serveDashboard } from "./serve.ts";
export type {
  DashboardServices,
  ParameterField,
  RunArchive,
  RunNews,
  RunningRun,
  ScenarioBook,
  ScenarioCard,
  WatchedSession,
} from "./services.ts";
export { ownSession, testbedServices } from "./testbed_services.ts";
