/**
 * What tools write into XenStore for a domain and its devices, with libxl's names and permissions.
 *
 * Source: `docs/misc/xenstore-paths.pandoc` of Xen 4.17; `io/netif.h` and `io/blkif.h` for devices.
 */

import { XENBUS_STATE } from "../../core/abi/io/xenbus.ts";
import type { DomainId } from "../../core/abi/ids.ts";
import { invariant } from "../../core/lib/assert.ts";
import { domainPath, type Permissions, type StoreSession } from "../../devices/xenstore/mod.ts";

/** Nodes by path, relative to some directory. */
type Nodes = Readonly<Record<string, string>>;

/** What a domain's home says of it. */
export interface DomainHome {
  readonly domain: DomainId;
  readonly name: string;
  readonly vcpus: number;
  /** The first so many are to be up. */
  readonly onlineVcpus: number;
  readonly memoryKib: number;
  readonly maxmemKib: number;
  readonly consoleFrame: number;
  readonly consolePort: number;
  readonly storeFrame: number;
  readonly storePort: number;
}

/** The two halves of a device, and where the back end runs. */
export interface DevicePaths {
  readonly backend: DomainId;
  readonly back: string;
  readonly front: string;
}

const DOM0 = 0 as DomainId;
/** Directories that a guest writes in. */
const GUEST_DIRECTORIES = ["data", "drivers", "feature", "attr", "error", "control"];

/** Writes a domain's home: the guest reads all of it, and writes where it is meant to. */
export function writeHome(tools: StoreSession, home: DomainHome): void {
  const { domain, vcpus, onlineVcpus } = home;
  const path = domainPath(domain);
  makeDirectory(tools, path, readableBy(domain));
  const cpus = Array.from(
    { length: vcpus },
    (_, index): [string, string] => [
      `cpu/${index}/availability`,
      index < onlineVcpus ? "online" : "offline",
    ],
  );
  writeAll(tools, path, {
    "name": home.name,
    "domid": String(domain),
    "memory/static-max": String(home.maxmemKib),
    "memory/target": String(home.memoryKib),
    "console/ring-ref": String(home.consoleFrame),
    "console/port": String(home.consolePort),
    "console/type": "xenconsoled",
    "console/limit": "1048576",
    "store/ring-ref": String(home.storeFrame),
    "store/port": String(home.storePort),
    "control/platform-feature-multiprocessor-suspend": "1",
    ...Object.fromEntries(cpus),
  });
  for (const name of GUEST_DIRECTORIES) makeDirectory(tools, `${path}/${name}`, ownedBy(domain));
  makeDirectory(tools, `${path}/control/shutdown`, ownedBy(domain));
  makeDirectory(tools, `${path}/device`, readableBy(domain));
}

/** What a driver domain's home says of it. */
export type DriverHome = Pick<DomainHome, "domain" | "name" | "memoryKib" | "maxmemKib">;

/** Writes the home of a driver domain, which has back ends below it. */
export function writeDriverHome(tools: StoreSession, home: DriverHome): void {
  writeBareHome(tools, home, ["control", "control/shutdown", "backend"]);
}

/** Writes the home of a domain with a modelled kernel, which finds its devices below it. */
export function writeModelledHome(tools: StoreSession, home: DriverHome): void {
  writeBareHome(tools, home, ["data", "control", "control/shutdown"]);
  makeDirectory(tools, `${domainPath(home.domain)}/device`, readableBy(home.domain));
}

/** Where the halves of a device of `domain` are, whose back end is in `backend`. */
export function devicePaths(
  kind: "vif" | "vbd",
  domain: DomainId,
  id: number,
  backend: DomainId,
): DevicePaths {
  return {
    backend,
    back: `${domainPath(backend)}/backend/${kind}/${domain}/${id}`,
    front: `${domainPath(domain)}/device/${kind}/${id}`,
  };
}

/** Writes both halves of a device; the front end's `state` comes last, for the guest watches it. */
export function writeDevice(
  tools: StoreSession,
  domain: DomainId,
  { back, front, backend }: DevicePaths,
  nodes: { readonly back: Nodes; readonly front: Nodes },
): void {
  const initialising = String(XENBUS_STATE.Initialising);
  makeDirectory(tools, back, [...ownedBy(backend), { domain, access: "r" }]);
  writeAll(tools, back, {
    "frontend": front,
    "frontend-id": String(domain),
    "online": "1",
    ...nodes.back,
    "state": initialising,
  });
  makeDirectory(tools, front, [...ownedBy(domain), { domain: backend, access: "r" }]);
  writeAll(tools, front, {
    "backend": back,
    "backend-id": String(backend),
    ...nodes.front,
    "state": initialising,
  });
}

/** A home without console and store, and directories that the domain writes in. */
function writeBareHome(tools: StoreSession, home: DriverHome, own: readonly string[]): void {
  const { domain } = home;
  const path = domainPath(domain);
  makeDirectory(tools, path, readableBy(domain));
  writeAll(tools, path, {
    "name": home.name,
    "domid": String(domain),
    "memory/static-max": String(home.maxmemKib),
    "memory/target": String(home.memoryKib),
  });
  for (const name of own) makeDirectory(tools, `${path}/${name}`, ownedBy(domain));
}

/** Domain 0 owns it, and the guest reads it. */
function readableBy(domain: DomainId): Permissions {
  return [{ domain: DOM0, access: "n" }, { domain, access: "r" }];
}

/** The guest owns it. */
function ownedBy(domain: DomainId): Permissions {
  return [{ domain, access: "n" }];
}

function makeDirectory(tools: StoreSession, path: string, permissions: Permissions): void {
  const failed = tools.mkdir(path) ?? tools.setPermissions(path, permissions);
  invariant(!failed, `${path} cannot be made: ${failed}`);
}

function writeAll(tools: StoreSession, path: string, nodes: Nodes): void {
  for (const [name, value] of Object.entries(nodes)) {
    const failed = tools.write(`${path}/${name}`, value);
    invariant(!failed, `${path}/${name} cannot be written: ${failed}`);
  }
}
