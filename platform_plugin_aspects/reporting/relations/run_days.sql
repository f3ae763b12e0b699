-- One row: who was in a run of a course on a day, as sets of learners.
-- From: events, without those of learners whom a hash of an address names: no learner can be taken out of a set again,
--   and a retirement has to.
-- Key: the organization and the course without its run, so that runs of one course are read together; then the run and
--   the day. Days, not weeks, because the start of a run may change. A set has each learner once, however often a
--   statement arrives.
-- Read by: relations
-- Freshness: at once, in the insert of the statement
-- Engine: AggregatingMergeTree
-- Source: events
-- Month of: emission_time
-- Order by: org, course, course_key, day
-- Columns:
--   org String: Organization.
--   course String: The course without its run. The whole key for a custom course (CCX), which is never compared.
--   course_key String: Key of the run.
--   day Date: Day, UTC.
--   has_acts SimpleAggregateFunction(max, UInt8): 1 if a learner did something; 0 if there were only enrollments and
--     grades.
--   enrolled AggregateFunction(uniqExact, String): Learners who enrolled.
--   active AggregateFunction(uniqExact, String): Learners who did something.
--   answering AggregateFunction(uniqExact, String): Learners who answered a problem.
--   completing AggregateFunction(uniqExact, String): Learners who completed a block.
--   passed AggregateFunction(uniqExact, String): Learners who passed the course.
WITH
    splitByRegexp('[+/]', replaceRegexpOne(course_key, '^[a-z0-9-]+:', '')) AS parts,
    verb NOT IN ('registered', 'unregistered', 'earned', 'passed', 'failed') AS is_act
SELECT
    parts[1] AS org,
    if(startsWith(course_key, 'ccx-'), course_key, parts[2]) AS course,
    course_key,
    toDate(emission_time, 'UTC') AS day,
    toUInt8(max(is_act)) AS has_acts,
    uniqExactStateIf(actor_id, verb = 'registered') AS enrolled,
    uniqExactStateIf(actor_id, is_act) AS active,
    uniqExactStateIf(actor_id, verb = 'evaluated' AND object_type = 'cmi.interaction') AS answering,
    uniqExactStateIf(actor_id, verb = 'progressed' AND ifNull(progress >= 100, false)) AS completing,
    uniqExactStateIf(actor_id, verb = 'passed' AND object_type = 'course') AS passed
FROM {source}
WHERE NOT match(actor_id, '^([0-9a-f]{40}|[0-9a-f]{64})$')
GROUP BY org, course, course_key, day
