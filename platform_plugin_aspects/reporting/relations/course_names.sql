-- One row: a course, as it was last published.
-- From: the platform's courses (event_sink.course_overviews), by the newest time_last_dumped.
-- Key: the course.
-- Population: Courses that the platform has published.
-- Read by: boards
-- Freshness: with the next read after a publish was delivered
-- Columns:
--   org: Organization.
--   course_key: Key of the course.
--   course_name: Name of the course.
--   course_run: Last part of the key, such as "2026".
--   starts_at: Moment at which the course starts; empty where it has none.
--   ends_at: Moment at which the course ends; empty where it has none.
--   published_at: Moment at which the platform last changed the course, as a publish does; null where unknown.
SELECT
    argMax(overviews.org, (overviews.time_last_dumped, overviews.org)) AS org,
    overviews.course_key AS course_key,
    argMax(overviews.display_name, (overviews.time_last_dumped, overviews.display_name)) AS course_name,
    extract(course_key, '[+/]([^+/]+)(?:[+]ccx@[0-9]+)?$') AS course_run,
    parseDateTime64BestEffortOrNull(
        argMax(overviews.course_start, (overviews.time_last_dumped, overviews.course_start)), 6, 'UTC') AS starts_at,
    parseDateTime64BestEffortOrNull(
        argMax(overviews.course_end, (overviews.time_last_dumped, overviews.course_end)), 6, 'UTC') AS ends_at,
    parseDateTime64BestEffortOrNull(
        argMax(overviews.modified, (overviews.time_last_dumped, overviews.modified)), 6, 'UTC') AS published_at
FROM {event_sink.course_overviews} AS overviews
GROUP BY course_key
