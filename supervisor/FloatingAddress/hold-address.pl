# hold-address.pl UNTIL IP ARGUMENTS...: runs `IP ARGUMENTS... valid_lft N preferred_lft N` so that the address
# is off the link N seconds later, and not after UNTIL (seconds of /proc/uptime), or does not run it at all.
#
# Between looking at the clock and telling the kernel, a process may be stopped for any time. So the alarm comes
# first: a process that was stopped for longer than it finds its end before it gets to do anything else
# (signal(7): pending signals are handled before user code goes on; execve(2) keeps the alarm).
alarm 1;
my ($until, @command) = @ARGV;
open my $clock, '<', '/proc/uptime' or die "reading /proc/uptime: $!\n";
my ($now) = <$clock> =~ /^([0-9.]+)/ or die "/proc/uptime says no time\n";
my $seconds = int($until - $now - 1);
exit 75 if $seconds < 1;
# preferred_lft 0 for IPv6: never the source of this host's own connections. IPv4 has no such choice by it.
my $preferred = $command[1] eq '-6' ? 0 : $seconds;
exec @command, 'valid_lft', $seconds, 'preferred_lft', $preferred or die "running $command[0]: $!\n";
