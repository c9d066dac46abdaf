/** Which Xen the hypervisor presents itself as: the one whose public headers it follows. */

export const XEN_VERSION = {
  major: 4,
  minor: 17,
  extraversion: ".0-xenarium",
  capabilities: "xen-3.0-x86_64 xen-3.0-x86_32p ",
  compiler: "TypeScript",
  compileBy: "xenarium",
  compileDomain: "",
  compileDate: "",
  changeset: "",
} as const;
