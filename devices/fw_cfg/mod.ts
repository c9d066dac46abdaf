/** QEMU-style firmware configuration, as far as SeaBIOS uses it. */

export { type E820Range, FwCfg, type FwCfgContents, FwCfgId, FwCfgKey } from "./fw_cfg.ts";
export { FwCfgDevice, type FwCfgWiring } from "./fw_cfg_device.ts";
export { tableLoaderScript } from "./table_loader.ts";
