-- One row: a statement about one act of one learner in one course, without its JSON.
-- From: the xAPI table, whoever writes it. Statements without a course, and those dated before 2010 or from 2100, are
--   left out.
-- Key: the course first, because all readers look at one course; then the verb, by which states are rebuilt; then the
--   statement, so that a statement that is written twice is one row after merges.
-- Read by: relations
-- Freshness: at once, in the insert of the statement
-- Engine: ReplacingMergeTree
-- Source: xapi
-- Month of: emission_time
-- Order by: course_key, verb, actor_id, emission_time, event_id
-- Partition by: toYYYYMM(emission_time)
-- Columns:
--   event_id UUID: Id of the statement.
--   emission_time DateTime64(6, 'UTC'): Moment of the act.
--   course_key String: Key of the course in which it happened.
--   verb LowCardinality(String): Last part of the verb's id, such as "played".
--   actor_id String: Id of the learner in statements, not the user's id. SHA-256 of the address where statements
--     name learners by that.
--   object_type LowCardinality(String): Last part of the type of the object, such as "video".
--   object_id String: Usage key of the block, of the problem for a question; the object's id for others, at most 500
--     characters.
--   part String: Question of a problem, such as "2_1" for its first; empty for the whole problem and for others.
--   mode LowCardinality(String): Mode of the enrollment, and what kind of forum post.
--   is_right Nullable(Bool): Whether the answer is right. For a whole problem: with all its points.
--   scaled Nullable(Float64): Score from 0 to 1.
--   earned Nullable(Float64): Points.
--   possible Nullable(Float64): Points that are possible.
--   grade_class LowCardinality(String): "Pass" or "Fail" of a course grade.
--   attempt UInt32: Number of the attempt, from 1; 0 where the statement has none.
--   response String: Answer, at most 500 characters; empty for a problem of several questions.
--   interaction_type LowCardinality(String): Kind of question, such as "choice".
--   page UInt16: Number of the unit in the subsection that a learner goes to, from 1; 0 for others and where it is
--     another subsection's.
--   position Nullable(Float64): Second of the video at which it happened; for a jump, from where.
--   position_after Nullable(Float64): Second of the video to which a learner jumps.
--   length Float64: Length of the video in seconds; 0 where the statement has none.
--   progress Nullable(Float64): Completion of the block, from 0 to 100.
WITH
    JSONExtract(event, 'Tuple(
        actor Tuple(account Tuple(name String), mbox String, mbox_sha1sum String),
        verb Tuple(id String),
        object Tuple(
            id String,
            objectType String,
            definition Tuple(
                type String,
                interactionType String,
                extensions Tuple(
                    `https://w3id.org/xapi/acrossx/extensions/type` String,
                    `https://w3id.org/xapi/acrossx/extensions/total-items` UInt32,
                    `http://id.tincanapi.com/extension/attempt-id` UInt32))),
        result Tuple(
            success Nullable(Bool),
            response String,
            score Tuple(scaled Nullable(Float64), raw Nullable(Float64), max Nullable(Float64)),
            extensions Tuple(
                `https://w3id.org/xapi/video/extensions/time` Nullable(Float64),
                `https://w3id.org/xapi/video/extensions/time-from` Nullable(Float64),
                `https://w3id.org/xapi/video/extensions/time-to` Nullable(Float64),
                `https://w3id.org/xapi/cmi5/result/extensions/progress` Nullable(Float64),
                `http://www.tincanapi.co.uk/activitytypes/grade_classification` String)),
        context Tuple(
            extensions Tuple(
                `https://w3id.org/xapi/video/extensions/length` Float64,
                `http://id.tincanapi.com/extension/starting-position` UInt32,
                `http://id.tincanapi.com/extension/ending-point` String,
                `https://w3id.org/xapi/acrossx/extensions/type` String),
            contextActivities Tuple(
                parent Array(Tuple(id String, definition Tuple(type String))),
                grouping Array(Tuple(id String, definition Tuple(type String))))))') AS s,
    s.object.definition AS definition,
    s.result.extensions AS measured,
    s.context.extensions AS around,
    -- The course is the parent, or for a question the grouping, or the object itself.
    arrayFirst(
        activity -> endsWith(activity.2, '/course') AND position(activity.1, '/course/') > 0,
        arrayConcat(
            arrayMap(activity -> (activity.1, (activity.2).1), s.context.contextActivities.parent),
            arrayMap(activity -> (activity.1, (activity.2).1), s.context.contextActivities.grouping),
            [(s.object.id, definition.type)])).1 AS course_url,
    -- The last part of an address, which may be an xblock's own and then a hint's or an answer's.
    substring(extract(course_url, '/course/(.+)$'), 1, 255) AS course,
    extract(s.object.id, '((?:ccx-)?block-v1:[^/?#]+)') AS block,
    extract(
        arrayFirst(
            activity -> endsWith((activity.2).1, '/cmi.interaction'),
            s.context.contextActivities.parent).1,
        '((?:ccx-)?block-v1:[^/?#]+)') AS problem,
    problem != '' AND startsWith(block, concat(problem, '_')) AS is_question,
    arrayElement(splitByChar('/', s.verb.id), -1) AS act,
    around.`http://id.tincanapi.com/extension/starting-position` AS page_before,
    around.`http://id.tincanapi.com/extension/ending-point` AS page_after
SELECT
    event_id,
    emission_time,
    course AS course_key,
    substringUTF8(act, 1, 50) AS verb,
    -- No address is stored. A retirement deletes the rows by this hash (xapi/addresses.py).
    multiIf(
        s.actor.account.name != '', substring(s.actor.account.name, 1, 255),
        s.actor.mbox != '', lower(hex(SHA256(lower(s.actor.mbox)))),
        substring(s.actor.mbox_sha1sum, 1, 255)) AS actor_id,
    substringUTF8(arrayElement(splitByChar('/', definition.type), -1), 1, 50) AS object_type,
    multiIf(is_question, problem, block != '', block, substringUTF8(s.object.id, 1, 500)) AS object_id,
    if(is_question, substring(block, length(problem) + 2, 50), '') AS part,
    substringUTF8(
        if(
            definition.extensions.`https://w3id.org/xapi/acrossx/extensions/type` != '',
            definition.extensions.`https://w3id.org/xapi/acrossx/extensions/type`,
            around.`https://w3id.org/xapi/acrossx/extensions/type`),
        1, 50) AS mode,
    if(isNotNull(s.result.score.scaled), s.result.score.scaled >= 1, s.result.success) AS is_right,
    s.result.score.scaled AS scaled,
    s.result.score.raw AS earned,
    s.result.score.max AS possible,
    substringUTF8(measured.`http://www.tincanapi.co.uk/activitytypes/grade_classification`, 1, 50) AS grade_class,
    definition.extensions.`http://id.tincanapi.com/extension/attempt-id` AS attempt,
    -- The statement about a whole problem repeats the answer to one of its questions.
    if(s.object.objectType = 'GroupActivity', '', substringUTF8(s.result.response, 1, 500)) AS response,
    substringUTF8(definition.interactionType, 1, 50) AS interaction_type,
    toUInt16(multiIf(
        act != 'navigated', 0,
        page_after = 'next unit',
            if(page_before < definition.extensions.`https://w3id.org/xapi/acrossx/extensions/total-items`
                AND page_before < 10000, toUInt32(page_before + 1), 0),
        page_after = 'previous unit', if(page_before BETWEEN 2 AND 10000, toUInt32(page_before - 1), 0),
        least(toUInt32OrZero(page_after), 10000))) AS page,
    coalesce(
        measured.`https://w3id.org/xapi/video/extensions/time`,
        measured.`https://w3id.org/xapi/video/extensions/time-from`) AS position,
    measured.`https://w3id.org/xapi/video/extensions/time-to` AS position_after,
    around.`https://w3id.org/xapi/video/extensions/length` AS length,
    measured.`https://w3id.org/xapi/cmi5/result/extensions/progress` AS progress
FROM {source}
WHERE match(course, '^((course-v1|ccx-v1):[^/+]+[+][^/+]+[+][^/]+|[^/+:]+/[^/+]+/[^/+]+)$')
    AND actor_id != ''
    AND verb != ''
    AND emission_time >= toDateTime64('2010-01-01 00:00:00', 6, 'UTC')
    AND emission_time < toDateTime64('2100-01-01 00:00:00', 6, 'UTC')
    -- A block of another course is not an act in this one.
    AND (block = '' OR startsWith(block, concat(replaceOne(replaceOne(course, 'course-v1:', 'block-v1:'), 'ccx-v1:', 'ccx-block-v1:'), '+type@')))
