/**
 * Xenarium's public face: what scripts, scenarios and the REPL import. It re-exports and does nothing
 * else; what is heavy (machines, disassembler, decompressors) is loaded at its first use.
 *
 * ```ts ignore
 * import { createMachine, tinyGuests } from "@xenarium/xenarium";
 *
 * const machine = await createMachine({ kernel: tinyGuests[0].image() });
 * console.log(await machine.run(), machine.console.text);
 * ```
 */

export { Host, replayHost, toolstack } from "./testbed/boot_host.ts";
export type { HostReplay, HostReplayOptions } from "./testbed/replay_host.ts";
export type { HostCode } from "./testbed/host/host_file.ts";
export type { HostSnapshot } from "./testbed/host/host_snapshot.ts";
export type { OutsideConfig } from "./testbed/host/outside_networks.ts";
export { loadAll, saveAll, type WholeProcess } from "./testbed/whole_process.ts";
export type { DomainSettings, SavedDomain, Toolstack } from "./testbed/toolstack/mod.ts";
export type {
  DiskConfig,
  DomainConfig,
  DomainDevices,
  HostDomain,
  HostOptions,
  HostRunOptions,
  VifConfig,
} from "./testbed/host/host.ts";
export { DebianLab } from "./testbed/boot_debian_lab.ts";
export type {
  LabDomain,
  LabDomainConfig,
  LabLoad,
  LabRole,
} from "./testbed/debian_lab/debian_lab.ts";
export type { WebClients, WebResults } from "./testbed/debian_lab/web_clients.ts";
export { Lab, measureTtcp, measureUdpLatency, searchSpecWeb } from "./testbed/boot_lab.ts";
export { PUBLISHED_LATENCIES } from "./testbed/model/udp_latency_figures.ts";
export type { UdpLatency, UdpLatencyOptions } from "./testbed/model/udp_latency.ts";
export type { PingResult } from "./guests/model/workloads/udp_echo/udp_echo.ts";
export type { SpecWebOptions, SpecWebResult } from "./testbed/model/specweb99.ts";
export { FIGURE_3_WEB99, FIGURE_4, type WebFigure } from "./testbed/model/specweb99_figures.ts";
export type { SpecWebBest, SpecWebSearch } from "./testbed/model/specweb99_search.ts";
export type { TtcpMeasurement, TtcpSpeed } from "./testbed/model/ttcp.ts";
export { TABLE_6, TABLE_6_COLUMNS, type TtcpRow } from "./testbed/model/ttcp_figures.ts";
export type { LabOptions, LabPlatform, LabSystem, LabSystemConfig } from "./testbed/model/lab.ts";
export type { WebLoad, WebOptions } from "./testbed/model/lab_web.ts";
export type { LabWorkload, LabWorkloadName } from "./testbed/model/lab_workloads.ts";
export { LoadBox } from "./testbed/boot_load_box.ts";
export type {
  Delays,
  Load,
  LoadBoxOptions,
  LoadDomain,
  LoadDomainConfig,
} from "./testbed/model/load_box.ts";
export type { SchedulerName, SchedulerParameters } from "./core/hypervisor/scheduling/ports.ts";
export {
  computingBenchmark,
  databaseInstances,
  lmbench,
  manyCopies,
  ModelBox,
  storageBenchmark,
} from "./testbed/boot_model_box.ts";
export {
  APPLICATION_SYSTEMS,
  COMPUTING_BENCHMARKS,
  DATABASE_BARS,
  STORAGE_BENCHMARKS,
} from "./testbed/model/application_figures.ts";
export type {
  ApplicationSystem,
  ComputingBenchmark,
  DatabaseBar,
  StorageBenchmark,
} from "./testbed/model/application_figures.ts";
export type { ComputingOptions, ComputingResult } from "./testbed/model/computing.ts";
export type {
  DatabaseInstances,
  InstancesResult,
  StorageResult,
} from "./testbed/model/databases.ts";
export { LMBENCH_COLUMNS, LMBENCH_ROWS } from "./testbed/model/lmbench_figures.ts";
export type { LmbenchColumn, LmbenchRow } from "./testbed/model/lmbench_figures.ts";
export { type Action, call, compute, exit } from "./guests/model/kernel/action.ts";
export type { Program, StepContext } from "./guests/model/kernel/action.ts";
export { profileNamed } from "./core/clock/profiles/profiles.ts";
export { createMachine, loadMachine, replay } from "./testbed/create_machine.ts";
export { machines } from "./testbed/machine_registry.ts";
export type {
  CheckpointView,
  CpuView,
  CreateMachine,
  DeviceView,
  DisassembledLine,
  EngineName,
  ImageSource,
  LoadMachine,
  Machine,
  MachineNetwork,
  MachineOptions,
  MemoryView,
  Recording,
  RegionExit,
  RegionView,
  Replay,
  ReplayMachine,
  ReplayOptions,
  ReverseOptions,
  RunOptions,
  SerialConsole,
  StateChanges,
  StopReason,
  TimeTravel,
  TraceLine,
  TraceView,
  TranslationsView,
  WriteRecord,
} from "./testbed/machine_api.ts";
export type { StackFrame } from "./testbed/debugger/back_trace.ts";
export type { CpuNews } from "./testbed/debugger/cpu_news.ts";
export type { Debugger, WatchOptions } from "./testbed/debugger/debugger_api.ts";
export type {
  DescriptorTables,
  GateView,
  SegmentDescriptorView,
} from "./testbed/debugger/descriptor_tables.ts";
export type { PageWalk, PageWalkStep } from "./testbed/debugger/page_walk.ts";
export type {
  StopCondition,
  StopHit,
  StopOptions,
  StopPoint,
} from "./testbed/debugger/stop_conditions.ts";
export type { Symbols } from "./testbed/debugger/symbols.ts";
export type { TlbEntryView } from "./testbed/debugger/tlb_entries.ts";
export { type ChromeTraceOptions, writeChromeTrace } from "./testbed/trace_export/chrome_trace.ts";
export {
  describeTraceDifference,
  diffTraces,
  linesOf,
  type TraceDifference,
} from "./testbed/trace_export/trace_diff.ts";
export { serveGdb } from "./testbed/gdb/serve.ts";
export type { GdbOptions, GdbServer } from "./testbed/gdb/server.ts";
export type { FunctionShare, GuestProfile, StackRun } from "./testbed/profile/guest_profile.ts";
export { foldedStacks, speedscopeFile } from "./testbed/profile/speedscope.ts";
export {
  compareRuns,
  csv,
  defaultStorePath,
  errorPercent,
  growRecord,
  newRecord,
  recordOf,
  RUN_STATUSES,
  RunStore,
  StoreError,
  toCsv,
  toJson,
} from "./testbed/runs/mod.ts";
export type {
  Cell,
  Column,
  ComparedCell,
  ComparedNumber,
  Comparison,
  Confidence,
  ExportedFile,
  Figure,
  FigureSource,
  GrowingRecord,
  NumberedEvent,
  ParameterValue,
  Point,
  RunEnd,
  RunEvent,
  RunHead,
  RunId,
  RunImage,
  RunNews,
  RunProgress,
  RunRecord,
  RunStatus,
  RunSummary,
  RunTable,
  RunWriter,
  Series,
} from "./testbed/runs/mod.ts";
export {
  accepted,
  checkSettings,
  commandLineOf,
  DEFAULT_SEED,
  defaultText,
  defineScenario,
  MAX_SEED,
  ownScenarios,
  PROGRAM_VERSION,
  settingText,
  startRun,
} from "./testbed/scenarios/mod.ts";
export type { DomainSample, HostSample, LinkSample, RunSpan } from "./testbed/live/host_sample.ts";
export { type ConsoleKey, type LiveNews, LiveWatch } from "./testbed/live/live_watch.ts";
export type {
  ComparisonSink,
  FoundScenario,
  Measurement,
  Parameter,
  ParameterTable,
  Scenario,
  ScenarioContext,
  ScenarioShelf,
  SeriesSink,
  SeriesSpec,
  Settings,
  StartedRun,
  StartOptions,
  TableSink,
  TableSpec,
  Traced,
  ValuesOf,
} from "./testbed/scenarios/mod.ts";
export {
  type Bytes,
  formatDuration,
  formatSize,
  parseDuration,
  parseSize,
} from "./testbed/units.ts";

export {
  asm,
  type AsmValue,
  assemble,
  type Assembled,
  type AssembleOptions,
} from "./core/x86/assembler/mod.ts";
export { tinyDomain, type TinyGuest, tinyGuests, wildStore } from "./guests/tiny/mod.ts";
export {
  BootError,
  type CpioEntry,
  detectProtocol,
  parseElf,
  pcMemoryMap,
  planBoot,
  readCpio,
  writeCpio,
} from "./guests/linux/mod.ts";
export {
  EthernetSwitch,
  formatIpv4,
  type Ipv4Address,
  parseIpv4,
  pcapHeader,
  pcapRecord,
  ScriptedHost,
} from "./devices/net/mod.ts";
