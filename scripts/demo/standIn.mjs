// Stands in for a Pod: listens on the ports given and tells its name to whoever connects.
// usage: node standIn.mjs NAME PORT…
import { createServer } from "node:net";

const [name, ...ports] = process.argv.slice(2);
const listening = ports.map(
  (port) =>
    new Promise((resolve, reject) => {
      const server = createServer((socket) => {
        socket.on("error", () => socket.destroy());
        socket.end(`${name}\n`);
      });
      server.once("error", reject);
      server.listen(Number(port), "0.0.0.0", resolve);
    }),
);
await Promise.all(listening);
process.stdout.write("ready\n");

// Ends with the demo, however that ends.
process.stdin.on("end", () => process.exit()).resume();
