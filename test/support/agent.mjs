/**
 * Runs inside one namespace of the test network. Reads commands as JSON lines from standard input and answers
 * them, in whatever order they finish, as JSON lines on standard output:
 *
 *   { id, do: "listen", sockets: [{ protocol, ip, port }] }            → { id, failed: ["tcp 1.2.3.4:80 EADDRINUSE"] }
 *   { id, do: "connect", protocol, source, destination, port, timeout } → { id, outcome: "answered", endpoint, seen }
 *                                                                        | { id, outcome: "refused" | "silent" }
 *                                                                        | { id, outcome: "failed", code }
 *
 * A listener answers with the local address that was reached and the source address that it saw.
 * The agent ends when its standard input does, so that it never outlives the test.
 */
import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";

const address = (ip, port) => (ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`);
const report = (endpoint, seen) => JSON.stringify({ endpoint, seen });
const unanswered = (error) =>
  error.code === "ECONNREFUSED" ? { outcome: "refused" } : { outcome: "failed", code: error.code ?? error.message };

function listenTCP({ ip, port }) {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on("error", () => socket.destroy());
      socket.end(report(address(socket.localAddress, socket.localPort), socket.remoteAddress));
    });
    server.once("error", reject);
    server.listen({ host: ip, port, backlog: 512, ipv6Only: ip.includes(":") }, resolve);
  });
}

function listenUDP({ ip, port }) {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: ip.includes(":") ? "udp6" : "udp4" });
    socket.once("error", reject);
    socket.on("message", (_message, from) =>
      socket.send(report(address(ip, port), from.address), from.port, from.address, () => {}),
    );
    socket.bind({ address: ip, port }, () => {
      // Errors after this point are answers to replies that nobody waits for any more.
      socket.removeListener("error", reject);
      socket.on("error", () => {});
      resolve();
    });
  });
}

async function listen({ sockets }) {
  const outcomes = await Promise.allSettled(
    sockets.map((socket) => (socket.protocol === "tcp" ? listenTCP(socket) : listenUDP(socket))),
  );
  const failed = outcomes.flatMap((outcome, index) => {
    const { protocol, ip, port } = sockets[index];
    return outcome.status === "rejected" ? [`${protocol} ${address(ip, port)} ${outcome.reason.code}`] : [];
  });
  return { failed };
}

function connectTCP({ source, destination, port, timeout }) {
  return new Promise((resolve) => {
    let received = "";
    const socket = connect({ host: destination, port, localAddress: source });
    const settle = (outcome) => {
      clearTimeout(timer);
      // A reset ends the connection at once, also in the conntrack table.
      socket.resetAndDestroy();
      resolve(outcome);
    };
    const timer = setTimeout(() => settle({ outcome: "silent" }), timeout);
    socket.setEncoding("utf8");
    socket.on("data", (chunk) => {
      received += chunk;
    });
    socket.on("end", () => settle({ outcome: "answered", ...JSON.parse(received) }));
    socket.on("error", (error) => settle(unanswered(error)));
  });
}

/** The node's own filter stopped it: refused if an ICMP error follows, else dropped. */
const isFilteredHere = (failure) => !failure || failure.code === "EPERM";

function connectUDP({ source, destination, port, timeout }) {
  return new Promise((resolve) => {
    const socket = createSocket({ type: destination.includes(":") ? "udp6" : "udp4" });
    let settled = false;
    const settle = (outcome) => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      socket.close();
      resolve(outcome);
    };
    const timer = setTimeout(() => settle({ outcome: "silent" }), timeout);
    socket.on("message", (message) => settle({ outcome: "answered", ...JSON.parse(message.toString()) }));
    socket.on("error", (error) => settle(unanswered(error)));
    socket.bind({ address: source }, () => {
      socket.connect(port, destination, (error) => {
        if (error) settle(unanswered(error));
        else socket.send("who answers?", (failure) => isFilteredHere(failure) || settle(unanswered(failure)));
      });
    });
  });
}

const commands = {
  listen,
  connect: (request) => (request.protocol === "tcp" ? connectTCP(request) : connectUDP(request)),
};

createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const request = JSON.parse(line);
    const answer = await commands[request.do](request);
    process.stdout.write(`${JSON.stringify({ id: request.id, ...answer })}\n`);
  })
  .on("close", () => process.exit(0));

process.stdout.write(`${JSON.stringify({ id: 0 })}\n`);
