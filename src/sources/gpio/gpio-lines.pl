# Watches GPIO lines by the kernel's character device (linux/gpio.h, version 2 of its interface), for which Node has no
# ioctl. Perl's base is on every Debian. It decides nothing: requests come on standard input, edges go out as they are.
#
#   perl gpio-lines.pl FOLDER      of the chips, /dev
#   open ID CHIP LINE BIAS         opened ID | refused ID WHY; CHIP is a label, or a name as gpiochip0
#   read ID                        level ID 0|1, behind all edges before it
#   close ID                       closed ID
#   edge ID 0|1 NANOSECONDS        since the kernel's start, when the kernel saw it
#   missed ID COUNT                so many edges before the next one were dropped by the kernel
#   lost ID WHY                    the chip is gone
#
# Fields are divided by tabs. It ends when standard input does.
use strict;
use warnings;
use Errno;
use Fcntl qw(O_RDWR);

use constant {
  GET_CHIP_INFO => 0x8044B401,
  GET_LINE => 0xC250B407,
  GET_VALUES => 0xC010B40E,
  INPUT => 1 << 2,
  BOTH_EDGES => 1 << 4 | 1 << 5,
  RISING => 1,
  EVENT_BYTES => 48,
  EVENTS_AT_ONCE => 64,
  # As many as the kernel gives: half a second at 1 kHz.
  KERNEL_BUFFER_EVENTS => 1024,
};
my %BIAS = ('as-is' => 0, 'pull-up' => 1 << 8, 'pull-down' => 1 << 9, 'disabled' => 1 << 10);

my $folder = shift // '/dev';
my %lines;

sub report {
  my $text = join("\t", @_) . "\n";
  while (length $text) {
    my $written = syswrite(STDOUT, $text);
    # Nobody reads any more.
    exit 0 unless defined $written;
    $text = substr($text, $written);
  }
}

sub find_chip {
  my ($wanted) = @_;
  my (@found, @labels);
  for my $path (glob("$folder/gpiochip*")) {
    sysopen(my $chip, $path, O_RDWR) or next;
    my $info = "\0" x 68;
    ioctl($chip, GET_CHIP_INFO, $info) or next;
    my ($name, $label, $count) = unpack('Z32 Z32 L', $info);
    push @labels, $label;
    push @found, [$chip, $count] if $label eq $wanted || $name eq $wanted;
  }
  die "no GPIO chip has the label $wanted; this machine has " . (join(', ', sort @labels) || 'none that may be used') . "\n"
    unless @found;
  die "more than one GPIO chip has the label $wanted\n" if @found > 1;
  return @{ $found[0] };
}

sub open_line {
  my ($id, $label, $offset, $bias) = @_;
  my ($chip, $count) = find_chip($label);
  die "GPIO chip $label has lines 0 to @{[$count - 1]}, not $offset\n" if $offset >= $count;
  my $flags = INPUT | BOTH_EDGES | $BIAS{$bias};
  my $request = pack('L64 Z32', $offset, (0) x 63, 'sallyport')
    . pack('Q L L5 x240', $flags, (0) x 6)
    . pack('L L L5 l', 1, KERNEL_BUFFER_EVENTS, (0) x 5, 0);
  ioctl($chip, GET_LINE, $request) or die(($!{EBUSY} ? 'in use by another program or by a driver of the kernel' : "$!") . "\n");
  my $descriptor = unpack('l', substr($request, -4));
  open(my $line, '<&=', $descriptor) or die "$!\n";
  $lines{$id} = { handle => $line, number => undef };
}

# What the kernel has kept so far. Undefined: the line is gone; else the level after the last edge, or -1 without any.
sub take_edges {
  my ($id) = @_;
  my $line = $lines{$id};
  my $level = -1;
  while (is_ready($line->{handle})) {
    my $read = sysread($line->{handle}, my $events, EVENT_BYTES * EVENTS_AT_ONCE);
    if (!$read) {
      report('lost', $id, defined $read ? 'the chip is gone' : "$!");
      delete $lines{$id};
      return undef;
    }
    for (my $at = 0; $at + EVENT_BYTES <= $read; $at += EVENT_BYTES) {
      my ($ns, $kind, undef, undef, $number) = unpack('Q L L L L', substr($events, $at, EVENT_BYTES));
      my $missed = defined $line->{number} ? ($number - $line->{number} - 1) & 0xffffffff : $number - 1;
      report('missed', $id, $missed) if $missed > 0;
      $line->{number} = $number;
      $level = $kind == RISING ? 1 : 0;
      report('edge', $id, $level, $ns);
    }
  }
  return $level;
}

sub is_ready {
  my ($handle) = @_;
  my $bits = '';
  vec($bits, fileno($handle), 1) = 1;
  return select($bits, undef, undef, 0) > 0;
}

sub read_level {
  my ($id) = @_;
  die "not open\n" unless exists $lines{$id};
  my $values = pack('Q Q', 0, 1);
  ioctl($lines{$id}{handle}, GET_VALUES, $values) or die "$!\n";
  my $level = unpack('Q', $values) & 1;
  # An edge that came meanwhile is told first, and then is what holds.
  my $after = take_edges($id);
  report('level', $id, $after < 0 ? $level : $after) if defined $after;
}

sub obey {
  my ($what, $id, @more) = split(/\t/, $_[0]);
  my $done = eval {
    if ($what eq 'open') { open_line($id, @more); report('opened', $id) }
    elsif ($what eq 'read') { read_level($id) }
    elsif ($what eq 'close') { delete $lines{$id}; report('closed', $id) }
    1;
  };
  return if $done;
  chomp(my $why = $@);
  report('refused', $id, $why);
}

my $asked = '';
while (1) {
  my $bits = '';
  vec($bits, fileno($_), 1) = 1 for \*STDIN, map { $_->{handle} } values %lines;
  select($bits, undef, undef, undef);
  for my $id (sort keys %lines) { take_edges($id) if vec($bits, fileno($lines{$id}{handle}), 1) }
  next unless vec($bits, fileno(STDIN), 1);
  sysread(STDIN, $asked, 4096, length $asked) or exit 0;
  obey($1) while $asked =~ s/^([^\n]*)\n//;
}
