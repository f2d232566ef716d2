//! The functions of both servers that change nothing, and those that do something of note.
//!
//! A function missing here counts as stored code: the statement goes to the primary and is not repeated. So a
//! missing name costs speed, a wrong one correctness. Names that only one server has built in stand in that
//! server's list, because on the other they may be somebody's stored function.

use super::Effects;

/// Functions and words before a parenthesis that are free of side effects on both servers.
pub(super) const PURE: &str = "
    abs acos adddate addtime aes_decrypt aes_encrypt ascii asin atan atan2 avg bin bit_and bit_count bit_length
    bit_or bit_xor cast ceil ceiling char char_length character character_length charset coalesce coercibility
    collation compress concat concat_ws conv convert convert_tz cos cot count crc32 cume_dist current_role
    current_user database date date_add date_format date_sub datediff day dayname dayofmonth dayofweek dayofyear
    default degrees dense_rank elt exp export_set extract extractvalue field find_in_set first_value floor
    format from_base64 from_days from_unixtime geomcollection geometrycollection get_format greatest group_concat
    hex hour if ifnull inet6_aton inet6_ntoa inet_aton inet_ntoa insert instr interval is_ipv4 is_ipv4_compat
    is_ipv4_mapped is_ipv6 isnull json_array json_array_append json_array_insert json_arrayagg json_contains
    json_contains_path json_depth json_extract json_insert json_keys json_length json_merge json_merge_patch
    json_merge_preserve json_object json_objectagg json_overlaps json_pretty json_quote json_remove json_replace
    json_schema_valid json_search json_set json_table json_type json_unquote json_valid json_value lag last_day
    last_value lcase lead least left length linestring ln locate log log10 log2 lower lpad ltrim make_set makedate
    maketime match max mbrcontains mbrequals mbrintersects mbroverlaps mbrtouches mbrwithin md5 microsecond mid
    min minute mod month monthname multilinestring multipoint multipolygon name_const nth_value ntile nullif oct
    octet_length ord percent_rank period_add period_diff pi point polygon position pow power quarter quote
    radians rank regexp_instr regexp_replace regexp_substr repeat replace reverse right round row_number rpad
    rtrim schema sec_to_time second session_user sha sha1 sha2 sign sin soundex space sqrt st_area st_asbinary
    st_asgeojson st_astext st_aswkb st_aswkt st_buffer st_centroid st_collect st_contains st_convexhull st_crosses
    st_difference st_dimension st_disjoint st_distance st_distance_sphere st_endpoint st_envelope st_equals
    st_exteriorring st_geohash st_geomcollfromtext st_geomcollfromwkb st_geometrycollectionfromtext
    st_geometrycollectionfromwkb st_geometryfromtext st_geometryfromwkb st_geometryn st_geometrytype
    st_geomfromgeojson st_geomfromtext st_geomfromwkb st_interiorringn st_intersection st_intersects st_isclosed
    st_isempty st_issimple st_isvalid st_latfromgeohash st_length st_linefromtext st_linefromwkb
    st_linestringfromtext st_linestringfromwkb st_longfromgeohash st_mlinefromtext st_mpointfromtext
    st_mpolyfromtext st_numgeometries st_numinteriorring st_numinteriorrings st_numpoints st_overlaps
    st_pointfromgeohash st_pointfromtext st_pointfromwkb st_pointn st_polyfromtext st_polyfromwkb
    st_polygonfromtext st_polygonfromwkb st_simplify st_srid st_startpoint st_symdifference st_touches st_union
    st_validate st_within st_x st_y startpoint std stddev stddev_pop stddev_samp str_to_date strcmp subdate substr
    substring substring_index subtime sum system_user tan time time_format time_to_sec timediff timestamp
    timestampadd timestampdiff to_base64 to_days to_seconds trim truncate ucase uncompress uncompressed_length
    unhex updatexml upper user values var_pop var_samp variance week weekday weekofyear weight_string year
    yearweek

    bigint binary bit blob datetime dec decimal double fixed float int integer json longtext mediumint nchar
    numeric nvarchar real signed smallint text tinyint unsigned varbinary varchar varying

    against all and any as asc between by case columns desc distinct distinctrow div else elseif end escape
    except exists for force from full group having ignore in index intersect into is join key lateral like limit
    lock minus natural nested not null of offset on or order over partition path primary range recursive regexp
    returning rlike row rows select set sounds some sql_big_result sql_buffer_result sql_cache sql_no_cache
    sql_small_result straight_join table tables then to union use using value when where window with within xor
    high_priority low_priority temporary unique update delete call do return members member
";

/// The same, only on MariaDB.
pub(super) const PURE_MARIADB: &str = "
    add_months area asbinary astext aswkb aswkt binlog_gtid_pos boundary centroid chr column_add column_check
    column_create column_delete column_exists column_get column_json column_list contains convexhull crc32c
    crosses decode decode_histogram decode_oracle des_decrypt des_encrypt dimension disjoint encode endpoint
    envelope equals exteriorring format_bytes format_pico_time geomcollfromtext geomcollfromwkb
    geometrycollectionfromtext geometrycollectionfromwkb geometryfromtext geometryfromwkb geometryn geometrytype
    geomfromtext geomfromwkb glength interiorringn intersects isclosed isempty isring issimple json_array_intersect
    json_compact json_detailed json_equals json_exists json_key_value json_loose json_normalize
    json_object_filter_keys json_object_to_array json_query json_unquote kdf lengthb linefromtext linefromwkb
    linestringfromtext linestringfromwkb median mlinefromtext mlinefromwkb months_between mpointfromtext
    mpointfromwkb mpolyfromtext mpolyfromwkb multilinestringfromtext multilinestringfromwkb multipointfromtext
    multipointfromwkb multipolygonfromtext multipolygonfromwkb natural_sort_key numgeometries numinteriorrings
    numpoints nvl nvl2 old_password overlaps password percentile_cont percentile_disc pointfromtext pointfromwkb
    pointn pointonsurface polyfromtext polyfromwkb polygonfromtext polygonfromwkb sformat srid st_boundary
    st_isring st_pointonsurface st_relate substr_oracle to_char touches vec_distance vec_distance_cosine
    vec_distance_euclidean vec_fromtext vec_totext within x y inet4 inet6 rownum trim_oracle ltrim_oracle
    rtrim_oracle lpad_oracle rpad_oracle replace_oracle concat_operator_oracle
";

/// The same, only on MySQL.
pub(super) const PURE_MYSQL: &str = "
    any_value bin_to_uuid can_access_column can_access_database can_access_table can_access_user can_access_view
    distance format_bytes format_pico_time from_vector gtid_subset gtid_subtract grouping icu_version is_uuid
    json_schema_validation_report json_storage_free json_storage_size mbrcoveredby mbrcovers mbrdisjoint
    regexp_like roles_graphml sqrt st_frechetdistance st_hausdorffdistance st_latitude st_lineinterpolatepoint
    st_lineinterpolatepoints st_longitude st_makeenvelope st_mlinefromwkb st_mpointfromwkb st_mpolyfromwkb
    st_multilinestringfromtext st_multipointfromtext st_multipolygonfromtext st_pointatdistance st_swapxy
    st_transform statement_digest statement_digest_text string_to_vector to_vector uuid_to_bin
    validate_password_strength vector vector_dim vector_to_string
";

/// Built-in functions (and words, when `bare`) that do or read something of note.
pub(super) struct Special {
    /// The name in lower case.
    pub(super) name: &'static str,
    /// What calling it means.
    pub(super) effects: Effects,
    /// The word alone means the same, without parentheses.
    pub(super) bare: bool,
}

const fn call(name: &'static str, effects: Effects) -> Special {
    Special { name, effects, bare: false }
}

const fn bare(name: &'static str, effects: Effects) -> Special {
    Special { name, effects, bare: true }
}

const WAITS_FOR_POSITION: Effects = Effects::SLEEPS.union(Effects::READS_SERVER_STATE);
const ALL_LOCKS: Effects = Effects::RELEASES_USER_LOCK.union(Effects::RELEASES_ALL_USER_LOCKS);
const SEQUENCE_WRITE: Effects = Effects::SEQUENCE.union(Effects::WRITES);

/// See `Special`.
pub(super) const SPECIAL: &[Special] = &[
    call("benchmark", Effects::SLEEPS),
    call("binlog_gtid_pos", Effects::VARIES),
    call("can_access_column", Effects::VARIES),
    call("can_access_database", Effects::VARIES),
    call("can_access_table", Effects::VARIES),
    call("can_access_user", Effects::VARIES),
    call("can_access_view", Effects::VARIES),
    call("connection_id", Effects::READS_CONNECTION_ID),
    call("convert_tz", Effects::VARIES),
    call("curdate", Effects::READS_CLOCK),
    bare("current_date", Effects::READS_CLOCK),
    bare("current_time", Effects::READS_CLOCK),
    bare("current_timestamp", Effects::READS_CLOCK),
    bare("current_user", Effects::VARIES),
    call("curtime", Effects::READS_CLOCK),
    call("des_decrypt", Effects::VARIES),
    call("des_encrypt", Effects::VARIES),
    // Draws a salt when it is given none.
    call("encrypt", Effects::READS_UUID),
    bare("fetch", Effects::LIMITS),
    call("found_rows", Effects::READS_FOUND_ROWS),
    call("get_lock", Effects::USER_LOCK),
    call("icu_version", Effects::VARIES),
    call("is_free_lock", Effects::READS_SERVER_STATE),
    call("is_used_lock", Effects::READS_SERVER_STATE),
    call("last_insert_id", Effects::empty()),
    call("lastval", Effects::SEQUENCE),
    bare("limit", Effects::LIMITS),
    call("load_file", Effects::READS_SERVER_STATE),
    bare("localtime", Effects::READS_CLOCK),
    bare("localtimestamp", Effects::READS_CLOCK),
    call("master_gtid_wait", WAITS_FOR_POSITION),
    call("master_pos_wait", WAITS_FOR_POSITION),
    call("nextval", SEQUENCE_WRITE),
    call("now", Effects::READS_CLOCK),
    bare("performance_schema", Effects::READS_SERVER_STATE),
    bare("processlist", Effects::READS_SERVER_STATE),
    call("ps_current_thread_id", Effects::READS_CONNECTION_ID),
    call("rand", Effects::READS_RANDOM),
    call("random_bytes", Effects::READS_UUID),
    call("release_all_locks", ALL_LOCKS),
    call("release_lock", Effects::RELEASES_USER_LOCK),
    call("roles_graphml", Effects::VARIES),
    call("row_count", Effects::READS_ROW_COUNT),
    call("session_user", Effects::VARIES),
    call("setval", SEQUENCE_WRITE),
    call("sleep", Effects::SLEEPS),
    call("source_pos_wait", WAITS_FOR_POSITION),
    bare("sql_calc_found_rows", Effects::CALCULATES_FOUND_ROWS),
    bare("sys_guid", Effects::READS_UUID),
    bare("sysdate", Effects::READS_SYSDATE),
    bare("system_time", Effects::VARIES),
    call("system_user", Effects::VARIES),
    bare("systimestamp", Effects::READS_SYSDATE),
    call("unix_timestamp", Effects::READS_CLOCK),
    call("user", Effects::VARIES),
    bare("utc_date", Effects::READS_CLOCK),
    bare("utc_time", Effects::READS_CLOCK),
    bare("utc_timestamp", Effects::READS_CLOCK),
    call("uuid", Effects::READS_UUID),
    call("uuid_short", Effects::READS_UUID),
    call("uuid_v4", Effects::READS_UUID),
    call("uuid_v7", Effects::READS_UUID),
    call("validate_password_strength", Effects::VARIES),
    call("version", Effects::READS_SERVER_STATE),
    call("wait_for_executed_gtid_set", WAITS_FOR_POSITION),
    call("wsrep_last_seen_gtid", Effects::READS_SERVER_STATE),
    call("wsrep_last_written_gtid", Effects::READS_SERVER_STATE),
    call("wsrep_sync_wait_upto_gtid", WAITS_FOR_POSITION),
];

/// Built-in functions that the lexer knows only when the parenthesis follows at once (unless `IGNORE_SPACE`):
/// with a blank between, the name is somebody's stored function.
pub(super) const ADJACENT: &str = "
    adddate bit_and bit_or bit_xor cast count curdate curtime date_add date_sub extract group_concat json_arrayagg
    json_objectagg max mid min now position session_user std stddev stddev_pop stddev_samp subdate substr substring
    sum sysdate system_user trim var_pop var_samp variance
";
