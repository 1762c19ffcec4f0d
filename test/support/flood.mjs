/**
 * Sends UDP packets until its standard input ends, each the first of a new flow as far as the kernel can tell (with
 * net.netfilter.nf_conntrack_udp_timeout=0 it forgets a flow at once):
 *
 *   node flood.mjs SOURCE[,SOURCE…] DESTINATION[,DESTINATION…] PORT PACKETS_PER_SECOND
 *
 * Prints one JSON line at the end: { sent, refused }. A packet that is not translated is refused by the rules, and
 * the kernel says so to the sender at once (EPERM).
 */
import { createSocket } from "node:dgram";

const [sources = "", destinations = "", port = "", rate = ""] = process.argv.slice(2);
const TICK = 5;

const sockets = await Promise.all(
  sources.split(",").map(
    (address) =>
      new Promise((resolve, reject) => {
        const socket = createSocket({ type: address.includes(":") ? "udp6" : "udp4", sendBufferSize: 1 << 22 });
        socket.once("error", reject);
        socket.bind({ address }, () => resolve(socket.removeAllListeners("error").on("error", () => {})));
      }),
  ),
);
const targets = destinations.split(",");
const payload = Buffer.from("x");
let sent = 0;
let refused = 0;
let next = 0;
const started = performance.now();

const timer = setInterval(() => {
  const due = Math.floor(((performance.now() - started) / 1000) * Number(rate));
  // A sender that was kept waiting does not make up for more than a moment.
  for (const end = Math.max(due, 0), last = Math.min(end, next + 2000); next < last; next++) {
    const socket = sockets[next % sockets.length];
    socket.send(payload, Number(port), targets[next % targets.length], (error) => {
      if (error === null) sent++;
      else if (error.code === "EPERM") refused++;
      else throw error;
    });
  }
}, TICK);

process.stdin.resume();
process.stdin.on("end", () => {
  clearInterval(timer);
  setTimeout(() => {
    console.log(JSON.stringify({ sent, refused, seconds: (performance.now() - started) / 1000 }));
    process.exit();
  }, 200);
});
