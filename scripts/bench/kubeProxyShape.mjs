// A made-up cluster in the shape in which kube-proxy 1.36 keeps it in nftables mode: a chain with an anonymous map for
// each ServicePort, and for session affinity a chain and a set for each endpoint (pkg/proxy/nftables/proxier.go). For
// comparisons only: the same Services and endpoints as `writeCluster` makes.
import { createHash } from "node:crypto";
import { clusterIPOf, nameOf, namespaceOf, podIPOf } from "./cluster.mjs";

const TABLE = "ip kube-proxy";
const PORT = 80;
const TARGET_PORT = 8080;

const SCAFFOLDING = `add table ${TABLE} { comment "rules for kube-proxy" ; }
add set ${TABLE} cluster-ips { type ipv4_addr ; comment "Active ClusterIPs" ; }
add set ${TABLE} nodeport-ips { type ipv4_addr ; comment "IPs that accept NodePort traffic" ; }
add set ${TABLE} hairpin-connections { type ipv4_addr . ipv4_addr . inet_proto . inet_service ; comment "service hairpin connections" ; }
add map ${TABLE} no-endpoint-services { type ipv4_addr . inet_proto . inet_service : verdict ; }
add map ${TABLE} no-endpoint-nodeports { type inet_proto . inet_service : verdict ; }
add map ${TABLE} firewall-ips { type ipv4_addr . inet_proto . inet_service : verdict ; }
add map ${TABLE} service-ips { type ipv4_addr . inet_proto . inet_service : verdict ; comment "ClusterIP, ExternalIP and LoadBalancer IP traffic" ; }
add map ${TABLE} service-nodeports { type inet_proto . inet_service : verdict ; comment "NodePort traffic" ; }
add chain ${TABLE} filter-prerouting-pre-dnat { type filter hook prerouting priority -110 ; }
add chain ${TABLE} filter-output-pre-dnat { type filter hook output priority -110 ; }
add chain ${TABLE} filter-input { type filter hook input priority 0 ; }
add chain ${TABLE} filter-forward { type filter hook forward priority 0 ; }
add chain ${TABLE} filter-output { type filter hook output priority 0 ; }
add chain ${TABLE} nat-prerouting { type nat hook prerouting priority -100 ; }
add chain ${TABLE} nat-output { type nat hook output priority -100 ; }
add chain ${TABLE} nat-postrouting { type nat hook postrouting priority 100 ; }
add chain ${TABLE} services
add chain ${TABLE} masquerading
add chain ${TABLE} firewall-check
add chain ${TABLE} service-endpoints-check
add chain ${TABLE} nodeport-endpoints-check
add chain ${TABLE} cluster-ips-check
add chain ${TABLE} reject-chain
add rule ${TABLE} reject-chain reject
add rule ${TABLE} filter-prerouting-pre-dnat ct state new jump firewall-check
add rule ${TABLE} filter-output-pre-dnat ct state new jump firewall-check
add rule ${TABLE} filter-input ct state new jump nodeport-endpoints-check
add rule ${TABLE} filter-input ct state new jump service-endpoints-check
add rule ${TABLE} filter-forward ct state new jump service-endpoints-check
add rule ${TABLE} filter-forward ct state new jump cluster-ips-check
add rule ${TABLE} filter-output ct state new jump service-endpoints-check
add rule ${TABLE} filter-output ct state new jump cluster-ips-check
add rule ${TABLE} nat-prerouting jump services
add rule ${TABLE} nat-output jump services
add rule ${TABLE} nat-postrouting jump masquerading
add rule ${TABLE} services ip daddr . meta l4proto . th dport vmap @service-ips
add rule ${TABLE} services ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports
add rule ${TABLE} masquerading meta mark & 0x4000 != 0 meta mark set meta mark ^ 0x4000 masquerade fully-random
add rule ${TABLE} masquerading ct status dnat ip saddr . ip daddr . meta l4proto . th dport @hairpin-connections masquerade fully-random
add rule ${TABLE} firewall-check ip daddr . meta l4proto . th dport vmap @firewall-ips
add rule ${TABLE} service-endpoints-check ip daddr . meta l4proto . th dport vmap @no-endpoint-services
add rule ${TABLE} nodeport-endpoints-check ip daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports
add rule ${TABLE} cluster-ips-check ip daddr @cluster-ips reject
add rule ${TABLE} cluster-ips-check ip daddr { 10.96.0.0/12 } drop
`;

/** The whole table as one input for `nft -f`. `affinitySeconds` gives every Service session affinity. */
export function kubeProxyTable({ services, endpoints, generation = () => 0, affinitySeconds }) {
  const lines = [];
  for (let index = 0; index < services; index++) {
    const chain = serviceChain(index);
    lines.push(`add chain ${TABLE} ${chain}`);
    lines.push(...serviceRules(index, endpoints, generation, affinitySeconds));
    lines.push(`add element ${TABLE} cluster-ips { ${clusterIPOf(index)} }`);
    lines.push(`add element ${TABLE} service-ips { ${clusterIPOf(index)} . tcp . ${PORT} : goto ${chain} }`);
  }
  return `${SCAFFOLDING}${lines.join("\n")}\n`;
}

/** The input that kube-proxy feeds when endpoints of one Service (without affinity) have changed. */
export function kubeProxyChange(index, { endpoints, generation }) {
  const rules = serviceRules(index, endpoints, generation, undefined);
  return `flush chain ${TABLE} ${serviceChain(index)}\n${rules.join("\n")}\n`;
}

function serviceRules(index, endpoints, generation, affinitySeconds) {
  const chain = serviceChain(index);
  const ips = Array.from({ length: endpoints }, (_, position) =>
    podIPOf(index * endpoints + position, generation(index, position)),
  );
  if (affinitySeconds !== undefined) return affinityRules(index, chain, ips, affinitySeconds);
  const map = ips.map((ip, position) => `${position} : ${ip} . ${TARGET_PORT}`).join(" , ");
  const choice = `numgen random mod ${endpoints} map { ${map} }`;
  return [`add rule ${TABLE} ${chain} meta l4proto tcp dnat ip addr . port to ${choice}`];
}

function affinityRules(index, chain, ips, seconds) {
  const before = [];
  const rules = [];
  const targets = ips.map((ip) => {
    const name = endpointName(index, ip);
    const [set, target] = [`affinity-${name}`, `endpoint-${name}`];
    before.push(`add set ${TABLE} ${set} { type ipv4_addr ; flags dynamic,timeout ; timeout ${seconds}s ; }`);
    before.push(`add chain ${TABLE} ${target}`);
    before.push(`add rule ${TABLE} ${target} update @${set} { ip saddr }`);
    before.push(`add rule ${TABLE} ${target} meta l4proto tcp dnat to ${ip}:${TARGET_PORT}`);
    rules.push(`add rule ${TABLE} ${chain} ip saddr @${set} goto ${target}`);
    return target;
  });
  const map = targets.map((target, position) => `${position} : goto ${target}`).join(" , ");
  rules.push(`add rule ${TABLE} ${chain} numgen random mod ${ips.length} vmap { ${map} }`);
  return [...before, ...rules];
}

function serviceChain(index) {
  return `service-${hashed(`${namespaceOf(index)}/${nameOf(index)}/tcp/http`)}`;
}

function endpointName(index, ip) {
  return hashed(`${namespaceOf(index)}/${nameOf(index)}/tcp/http__${ip}/${TARGET_PORT}`);
}

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The first 8 base32 characters of the SHA-256 of a text, and the text. */
function hashed(text) {
  const digest = createHash("sha256").update(text).digest();
  const bits = [...digest.subarray(0, 5)].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const hash = (bits.match(/.{5}/g) ?? []).map((five) => BASE32[Number.parseInt(five, 2)]).join("");
  return `${hash}-${text}`;
}
