// Connects again and again and prints, as JSON, who answered how often.
// usage: node client.mjs ADDRESS PORT TIMES
import { connect } from "node:net";

const [address, port, times] = process.argv.slice(2);
const PATIENCE_MS = 3000;

/** Name of who answers one connection, or how it failed. */
function ask() {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect({ host: address, port: Number(port) });
    const finish = (text) => {
      socket.destroy();
      resolve(text);
    };
    socket.setEncoding("utf8").setTimeout(PATIENCE_MS, () => finish("no answer"));
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.once("end", () => finish(answer.trim() || "closed without a word"));
    socket.once("error", ({ code }) => finish(code === "ECONNREFUSED" ? "refused" : code));
  });
}

const counts = {};
for (let time = 0; time < Number(times); time++) {
  const answer = await ask();
  counts[answer] = (counts[answer] ?? 0) + 1;
}
process.stdout.write(`${JSON.stringify(counts)}\n`);
