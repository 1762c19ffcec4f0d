# Sends new UDP flows: every packet has a source address and port of its own. Needs CAP_NET_RAW and perl-base only.
#
#   perl flood.pl target=10.96.0.1 port=80 source=10.180.128.0 rate=20000 …
#
# Ends after `count` packets, or once standard input ends, and prints one line of JSON.
use strict;
use warnings;
use Socket qw(AF_INET SOCK_RAW IPPROTO_RAW inet_aton);

my %given = (
    targets => 1,        # destination addresses from `target` on, one picked by chance for each packet
    sources => 1000,     # source addresses from `source` on, taken in turn
    first   => 0,        # number of the first flow: equal numbers are equal sources
    rate    => 0,        # packets per second, open loop: what was late is made up for; 0 is as fast as it goes
    count   => 4e9,
    timed   => 0,        # 1: measure the time that each packet takes to be sent
    map { split /=/, $_, 2 } @ARGV
);
my ($target, $source) = map { unpack "N", inet_aton($given{$_}) // die "no address: $_\n" } qw(target source);
my ($targets, $sources, $first, $rate, $count, $port) = @given{qw(targets sources first rate count port)};

# Time::HiRes is not in perl-base.
my $machine = `uname -m`;
my $clock_gettime = $machine =~ /^x86_64/ ? 228 : $machine =~ /^(?:aarch64|riscv64)/ ? 113 : die "unknown: $machine";
my $timespec = "\0" x 16;

# Seconds by CLOCK_MONOTONIC.
sub now {
    syscall($clock_gettime, 1, $timespec);
    my ($seconds, $nanoseconds) = unpack "qq", $timespec;
    return $seconds + $nanoseconds / 1e9;
}

socket(my $socket, AF_INET, SOCK_RAW, IPPROTO_RAW) or die "no raw socket: $!\n";
setsockopt($socket, Socket::SOL_SOCKET, Socket::SO_SNDBUF, pack("l", 1 << 20));

# The kernel fills in the checksum and the identification of the IP header; a UDP checksum of 0 is none.
my $head      = pack("CCnnnCCn", 0x45, 0, 28, 0, 0, 64, 17, 0);
my $ports     = 64512;
my $from_port = 1024;

sub send_flow {
    my ($flow) = @_;
    my $to = $targets > 1 ? $target + int(rand($targets)) : $target;
    my $from_address = $source + $flow % $sources;
    my $from         = $from_port + int($flow / $sources) % $ports;
    my $packet = $head . pack("NNnnnn", $from_address, $to, $from, $port, 8, 0);
    my $name   = pack("SnNx8", AF_INET, 0, $to);
    defined(send($socket, $packet, 0, $name)) or die "not sent: $!\n";
}

# Whether standard input ended, after at most this many seconds.
sub has_ended {
    my ($patience) = @_;
    my $readable = "";
    vec($readable, fileno(STDIN), 1) = 1;
    return select($readable, undef, undef, $patience) > 0 && !sysread(STDIN, my $ignored, 4096);
}

my $batch = 100;
my $sent  = 0;
my @times;
my $start = now();
while ($sent < $count) {
    my $due = $rate > 0 ? int((now() - $start) * $rate) : $sent + $batch;
    my $to  = $due < $count ? $due : $count;
    $to = $sent + $batch if $to > $sent + $batch;
    last if has_ended($to <= $sent ? 0.0005 : 0);
    if ($given{timed}) {
        while ($sent < $to) {
            my $before = now();
            send_flow($first + $sent++);
            push @times, now() - $before;
        }
    }
    else {
        send_flow($first + $sent++) while $sent < $to;
    }
}

my %result = (sent => $sent, seconds => now() - $start);
if (@times) {
    @times = sort { $a <=> $b } @times;
    my $sum = 0;
    $sum += $_ for @times;
    $result{meanMicroseconds}   = 1e6 * $sum / @times;
    $result{medianMicroseconds} = 1e6 * $times[ @times / 2 ];
}
print "{", join(",", map { "\"$_\":$result{$_}" } sort keys %result), "}\n";
