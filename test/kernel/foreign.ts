/** Rules that belong to others, in every table and chain that we touch and in some that we do not, with counters. */
export const FOREIGN_IPTABLES = `*mangle
:OTHER-MANGLE - [0:0]
[7:700] -A PREROUTING -j OTHER-MANGLE
[1:60] -A OTHER-MANGLE -p tcp -m tcp --dport 22 -j MARK --set-xmark 0x1/0x1
COMMIT
*filter
:OTHER-FILTER - [0:0]
:KUBELET-LIKE - [0:0]
[3:300] -A INPUT -p tcp -m tcp --dport 22 -m comment --comment "let me in" -j ACCEPT
[4:400] -A INPUT -j OTHER-FILTER
[5:500] -A FORWARD -j OTHER-FILTER
[6:600] -A OUTPUT -m owner --uid-owner 0 -j OTHER-FILTER
[8:800] -A OTHER-FILTER -m limit --limit 5/min -j LOG --log-prefix "a \\"b\\" c"
[9:900] -A KUBELET-LIKE -j RETURN
COMMIT
*nat
:OTHER-NAT - [0:0]
[10:1000] -A PREROUTING -p tcp -m tcp --dport 8443 -j REDIRECT --to-ports 443
[11:1100] -A OUTPUT -j OTHER-NAT
[12:1200] -A POSTROUTING -o eth7 -j MASQUERADE
COMMIT
`;

/** A table that only nft knows of. */
export const FOREIGN_NFT = `table inet other {
	set blocked {
		type ipv4_addr
		elements = { 192.0.2.1, 192.0.2.2 }
	}
	chain input {
		type filter hook input priority 10; policy accept;
		ip saddr @blocked counter packets 5 bytes 250 drop
	}
}
`;
