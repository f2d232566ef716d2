# The DBI drivers: `dbi.pl mysql|MariaDB`.
use strict;
use warnings;
use utf8;
use DBI;
use IO::Select;
use Time::HiRes qw(time sleep);

my $driver = $ARGV[0];
my %place = map { $_ => $ENV{"TIDEOVER_$_"} } qw(HOST PORT DIRECT_PORT USER PASSWORD SCHEMA CA FAMILY);
my $prefix = $driver eq 'mysql' ? 'mysql' : 'mariadb';
my $table = 'd_perl_' . lc $driver;
my $unicode = "Grüße, 世界, \x{1f600}, e\x{301}, \x{202e}, '\"\\`%_;";
$| = 1;
binmode STDOUT, ':utf8';
binmode STDERR, ':utf8';

sub connect_to {
    my ($port, %with) = @_;
    my $dsn = "DBI:$driver:host=$place{HOST};port=$port;database=" . ($with{schema} // $place{SCHEMA});
    $dsn .= ";${prefix}_ssl=1;${prefix}_ssl_ca_file=$place{CA}" if $with{tls};
    $dsn .= ';mysql_ssl_optional=1' if $with{tls} && $driver eq 'mysql';
    $dsn .= ";${prefix}_server_prepare=1" if $with{prepare};
    my %options = (RaiseError => 1, PrintError => 0, AutoCommit => 1);
    $options{mysql_enable_utf8mb4} = 1 if $driver eq 'mysql';
    return DBI->connect($dsn, $place{USER}, $with{password} // $place{PASSWORD}, \%options);
}

sub check { my ($yes, $what) = @_; die "$what\n" unless $yes }
sub step { print "step $_[0]\n" }

sub code {
    my ($action) = @_;
    return DBI::err() || $DBI::err if !eval { $action->(); 1 };
    die "it was not refused\n";
}

sub text { join '|', map { join ',', map { $_ // 'NULL' } @$_ } @{ $_[0] } }

step('login');
my $tls_works = 1;
for my $tls (1, 0) {
    my $db = connect_to($place{PORT}, tls => $tls);
    check($db->selectrow_array('SELECT DATABASE()') eq $place{SCHEMA}, 'schema');
    $db->disconnect;
}
check(code(sub { connect_to($place{PORT}, password => 'wrong') }) == 1045, 'a wrong password');

my $db = connect_to($place{PORT});
my $types = 'SELECT * FROM types ORDER BY id';
for my $prepare (0, 1) {
    step("types, prepared: $prepare");
    my $through = connect_to($place{PORT}, prepare => $prepare);
    my $direct = connect_to($place{DIRECT_PORT}, prepare => $prepare);
    check(text($through->selectall_arrayref($types)) eq text($direct->selectall_arrayref($types)), 'rows differ');
    $through->do("DROP TABLE IF EXISTS $table");
    $through->do("CREATE TABLE $table LIKE types");
    $through->do("INSERT INTO $table SELECT * FROM types");
    $through->do("UPDATE $table SET c_varchar=?, c_int=? WHERE id=1", undef, $unicode, -7);
    my @row = $through->selectrow_array("SELECT c_varchar, c_int FROM $table WHERE id=?", undef, 1);
    check($row[0] eq $unicode && $row[1] == -7, "an update: @row");
    $through->disconnect;
    $direct->disconnect;
}

step('transactions');
$db->do("DROP TABLE IF EXISTS ${table}_t");
$db->do("CREATE TABLE ${table}_t (id INT PRIMARY KEY AUTO_INCREMENT, n INT)");
$db->do("INSERT INTO ${table}_t (n) VALUES (1), (2)");
check($db->last_insert_id(undef, undef, "${table}_t", 'id') == 1, 'id');
$db->begin_work;
check($db->do("UPDATE ${table}_t SET n=n+1") == 2, 'row count');
$db->rollback;
$db->begin_work;
$db->do("UPDATE ${table}_t SET n=n+10");
$db->commit;
check($db->selectrow_array("SELECT SUM(n) FROM ${table}_t") == 23, 'books');

step('long values');
my $big = "\x00\xff\x7f'" x int($ENV{TIDEOVER_LONG} / 8);
$db->do("DROP TABLE IF EXISTS ${table}_b");
$db->do("CREATE TABLE ${table}_b (b LONGBLOB)");
my $insert = $db->prepare("INSERT INTO ${table}_b VALUES (?)");
$insert->bind_param(1, $big, DBI::SQL_BLOB());
$insert->execute;
check($db->selectrow_array("SELECT b FROM ${table}_b") eq $big, 'a long value');
$db->do("DROP TABLE ${table}_b");

step('variables');
$db->do('SET @mine=?', undef, $unicode);
$db->do("SET SESSION sql_mode='ANSI_QUOTES', time_zone='+03:00'");
my @found = $db->selectrow_array('SELECT @mine, "id", @@time_zone FROM types WHERE id=1');
check($found[0] eq $unicode && $found[1] == 1 && $found[2] eq '+03:00', "variables: @found");
$db->do('SET SESSION sql_mode=DEFAULT, time_zone=DEFAULT');

step('errors');
check(code(sub { $db->do('SELEC 1') }) == 1064, 'syntax');
check(code(sub { $db->do("INSERT INTO ${table}_t (id) VALUES (1)") }) == 1062, 'a duplicate');
check($db->selectrow_array('SELECT 1') == 1, 'the connection lives on');

step('cancel');
my $id = $db->{"${prefix}_thread_id"};
my $child = fork;
if (!$child) {
    $db->{InactiveDestroy} = 1;
    sleep 0.3;
    connect_to($place{PORT})->do("KILL QUERY $id");
    require POSIX;
    POSIX::_exit(0);
}
my $started = time;
my $slept = eval { $db->selectrow_array('SELECT SLEEP(30)') };
check(defined $slept ? $slept == 1 : $db->err == 1317, 'an interrupted statement');
check(time - $started < 20, 'it was not interrupted');
waitpid $child, 0;
print "ready\n";
$db->disconnect;
$db = connect_to($place{PORT});

step('load');
$db->do("DROP TABLE IF EXISTS ${table}_l");
$db->do("CREATE TABLE ${table}_l (id INT PRIMARY KEY, n INT NOT NULL)");
$db->do('SET @round=0');
my ($count, $input) = (0, IO::Select->new(\*STDIN));
while (!$input->can_read(0)) {
    $count += 1;
    $db->begin_work;
    $db->do("INSERT INTO ${table}_l VALUES (?, 0)", undef, $count);
    $db->do('SET @round=?', undef, $count);
    $db->do("UPDATE ${table}_l SET n=n+1 WHERE id=?", undef, $count);
    check($db->selectrow_array("SELECT n FROM ${table}_l WHERE id=?", undef, $count) == 1, 'its own write');
    $db->commit;
    check($db->selectrow_array('SELECT @round') == $count, 'a variable');
    sleep 0.002;
}
@found = $db->selectrow_array("SELECT COUNT(*), SUM(n), MAX(id) FROM ${table}_l");
check("@found" eq "$count $count $count", "@found of $count");
print "done $count\n";
