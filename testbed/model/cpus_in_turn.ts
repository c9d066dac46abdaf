/**
 * Where the paper's Xen put a domain: on one physical CPU for good, in turn. It had a run queue for each CPU and moved nobody
 * (`DOM0_CREATEDOMAIN` in `xen/common/dom0_ops.c` of 2003, `pro = (pro+1) % smp_num_cpus`).
 */

/** The CPUs of the domain that is made after `made` others, besides domain 0, which has the first CPU. */
export function cpusInTurn(made: number, cpus: number): readonly number[] {
  return [(made + 1) % cpus];
}
