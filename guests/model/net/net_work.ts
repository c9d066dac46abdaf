/**
 * What Linux 2.4's network code does for a packet, in cycles of its own instructions with the cache misses that they have on
 * the machine of the paper: a packet's descriptor, its headers and its buffer have just been written by the card or are about
 * to be read by it, so that each is a miss.
 *
 * Basis: the sums are fitted to native Linux's row of Table 6 (SOSP 2003), frames of 500 bytes, where the CPU is what limits:
 * 14,290 cycles for a packet sent (with half an acknowledgment received), 15,810 for one received (with half of one sent). How
 * a sum is shared out among its parts is assumed.
 */

/** Cycles by function. */
export const NET_WORK = {
  /** `tcp_sendmsg`, once a call; then for each segment that is cut: `alloc_skb`, its place in the queue. */
  sendCall: 900,
  segmentMake: 2_300,
  /** `tcp_transmit_skb`, `ip_queue_xmit`, `dev_queue_xmit`. */
  segmentSend: 3_900,
  /** A segment without data: the buffer is made and sent at once. */
  acknowledgmentSend: 3_400,
  /** `ip_rcv`, `tcp_v4_rcv` up to the connection. */
  packetReceive: 2_400,
  /** `tcp_rcv_established`: data queued for the user. */
  dataReceive: 4_200,
  /** `tcp_ack`: buffers that are acknowledged are freed, windows open. */
  acknowledgmentReceive: 2_000,
  /** `tcp_recvmsg`: once a call, and for each buffer that is emptied and freed. */
  receiveCall: 1_200,
  segmentRead: 1_500,
  /** A connection made ready: `tcp_v4_conn_request`, `tcp_check_req`, a new socket. */
  connectionMake: 9_000,
  /** `tcp_close`, `tcp_fin`, the timewait bucket. */
  connectionEnd: 6_000,
  /** `accept` and its descriptor, inode and socket. */
  accept: 5_000,
  connect: 7_000,
  socket: 4_500,
  /** `udp_sendmsg`, `udp_recvmsg`, `udp_rcv`. */
  datagramSend: 2_400,
  datagramRead: 1_600,
  datagramReceive: 1_500,
  /** A sleeper woken by `sock_def_readable` or `sock_def_write_space`. */
  wake: 500,
} as const;

/** What a driver does, in cycles of its own instructions. */
export interface DriverWork {
  /** `hard_start_xmit`: a descriptor. */
  readonly send: number;
  /** A descriptor whose packet has left: `kfree_skb`. */
  readonly sent: number;
  /** The receive loop: a descriptor, a new buffer in its place, `eth_type_trans`. */
  readonly receive: number;
  /**
   * Whether there is a device, that is told of each packet that is sent, and asked in each interrupt. A front end reads and writes
   * memory, and sends events when the far side wants them; it counts those.
   */
  readonly hasRegisters: boolean;
  /** Whether the system pays for what lies between the driver and the cable; otherwise a domain with the back end does. */
  readonly paysFrames: boolean;
}

/** A driver of a real card; the sums above are with these. */
export const CARD_WORK: DriverWork = {
  send: 1_300,
  sent: 1_000,
  receive: 3_600,
  hasRegisters: true,
  paysFrames: true,
};

/**
 * A front end: a request or a response in a page of memory, no card. What it does less than a card's driver, the hypervisor
 * does (costs `nicSent`, `nicReceived`); where the line runs is assumed.
 */
export const FRONT_END_WORK: DriverWork = {
  send: 700,
  sent: 300,
  receive: 1_000,
  hasRegisters: false,
  paysFrames: true,
};

/** A front end whose back end is in another domain, which pays for its own work. */
export const BRIDGED_WORK: DriverWork = { ...FRONT_END_WORK, paysFrames: false };

/**
 * How often interrupts are masked for a packet: each buffer that is made or freed, each queue and each wait queue that it goes
 * through (`spin_lock_irqsave`, `local_irq_save` and the like, counted in 2.4's sources).
 */
export const MASKED = {
  /** `alloc_skb` twice (slab and head), the socket's queue, `qdisc`, the driver's lock. */
  send: 12,
  /** `kfree_skb` twice, the driver's lock, `netif_wake_queue`. */
  deviceSent: 6,
  /** A new buffer for the ring, `netif_receive_skb`. */
  deviceReceive: 8,
  /** The socket's queues and wait queue, timers, buffers freed. */
  receive: 12,
} as const;
