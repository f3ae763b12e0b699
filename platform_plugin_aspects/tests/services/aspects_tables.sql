CREATE DATABASE event_sink;
CREATE DATABASE xapi;

CREATE TABLE event_sink.course_overviews
(
    org String,
    course_key String,
    display_name String,
    course_start String,
    course_end String,
    enrollment_start String,
    enrollment_end String,
    self_paced Bool,
    course_data_json String,
    created String,
    modified String,
    dump_id UUID,
    time_last_dumped String
)
ENGINE = MergeTree
PRIMARY KEY (org, course_key, modified, time_last_dumped)
ORDER BY (org, course_key, modified, time_last_dumped);

CREATE TABLE event_sink.course_blocks
(
    org String,
    course_key String,
    location String,
    display_name String,
    xblock_data_json String,
    order Int32,
    edited_on String,
    dump_id UUID,
    time_last_dumped String
)
ENGINE = MergeTree
PRIMARY KEY (org, course_key, location, edited_on)
ORDER BY (org, course_key, location, edited_on, order);

CREATE TABLE event_sink.user_profile
(
    id Int32,
    user_id Int32,
    name String,
    username String,
    email String,
    meta String,
    courseware String,
    language String,
    location String,
    year_of_birth String,
    gender String,
    level_of_education String,
    mailing_address String,
    city String,
    country String,
    state String,
    goals String,
    bio String,
    profile_image_uploaded_at String,
    phone_number String,
    dump_id UUID,
    time_last_dumped String
)
ENGINE = ReplacingMergeTree
PARTITION BY user_id MOD 100
PRIMARY KEY (id, time_last_dumped)
ORDER BY (id, time_last_dumped);

CREATE TABLE event_sink.external_id
(
    external_user_id UUID,
    external_id_type String,
    username String,
    user_id Int32,
    dump_id UUID,
    time_last_dumped String
)
ENGINE = ReplacingMergeTree
PARTITION BY user_id MOD 100
PRIMARY KEY (external_user_id, time_last_dumped)
ORDER BY (external_user_id, time_last_dumped);

CREATE TABLE event_sink.course_enrollment
(
    id Int32,
    course_key String,
    created String,
    is_active Bool,
    mode LowCardinality(String),
    username String,
    user_id Int32,
    dump_id UUID,
    time_last_dumped String
)
ENGINE = MergeTree
ORDER BY (course_key, user_id, time_last_dumped);

CREATE TABLE event_sink.tag
(
    id Int32,
    taxonomy Int32,
    parent Int32,
    value String,
    external_id String,
    lineage String,
    dump_id UUID,
    time_last_dumped String
)
ENGINE = ReplacingMergeTree
ORDER BY (id, time_last_dumped);

CREATE TABLE event_sink.taxonomy
(
    id Int32,
    name String,
    dump_id UUID,
    time_last_dumped String
)
ENGINE = ReplacingMergeTree
ORDER BY (id, time_last_dumped);

CREATE TABLE event_sink.object_tag
(
    id Int32,
    object_id String,
    taxonomy Int32,
    tag Int32,
    _value String,
    _export_id String,
    lineage String,
    dump_id UUID,
    time_last_dumped String
)
ENGINE = ReplacingMergeTree
ORDER BY (id, time_last_dumped);

CREATE TABLE event_sink.load_test_runs
(
    run_id String,
    timestamp DateTime DEFAULT now(),
    event_type String,
    extra String
)
ENGINE = MergeTree
ORDER BY (run_id, timestamp);

CREATE TABLE event_sink.load_test_stats
(
    run_id String,
    timestamp DateTime DEFAULT now(),
    stats String
)
ENGINE = MergeTree
ORDER BY (run_id, timestamp);

CREATE TABLE xapi.xapi_events_all
(
    event_id UUID,
    emission_time DateTime64(6),
    event String
)
ENGINE = ReplacingMergeTree
ORDER BY (emission_time, event_id);

CREATE USER ch_cms IDENTIFIED BY 'cms-secret';
GRANT INSERT, SELECT, DELETE ON event_sink.* TO ch_cms;
GRANT INSERT, SELECT, DELETE ON xapi.* TO ch_cms;
CREATE USER reports IDENTIFIED BY 'reports-secret';
GRANT SELECT ON event_sink.* TO reports;
GRANT SELECT ON xapi.* TO reports;
