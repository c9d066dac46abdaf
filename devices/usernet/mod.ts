/**
 * The outside network of a bridge, made up by a script: DHCP, names, pings, TCP services and clients.
 * Nothing here reaches the real network.
 *
 * ```ts ignore
 * const outside = new UserNetwork({ clock, name: "outside", port, mac, address, dhcp });
 * const server = outside.addHost("www.example.org", "192.0.2.80");
 * outside.listen({ address: server, port: 80 }, {
 *   name: "www",
 *   data: (stream) => stream.write(page),
 * });
 * ```
 */

export * from "./user_network.ts";
export type { SocketAddress, TcpService, TcpStream } from "./tcp_endpoint.ts";
export type { TcpState } from "./tcp_connection.ts";
