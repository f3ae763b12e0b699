-- One row: all that a learner did with the player of a video.
-- From: events about videos with a position.
-- Key: the course, the video and the learner. The moments are a set, so their order of arrival and repetitions do not
--   matter. Which second was played follows from the whole set and is computed at reading.
-- Read by: relations
-- Freshness: at once, in the insert of the statement
-- Engine: AggregatingMergeTree
-- Source: events
-- Month of: emission_time
-- Order by: course_key, video_key, actor_id
-- Columns:
--   course_key String: Key of the course.
--   video_key String: Usage key of the video.
--   actor_id String: Id of the learner in statements.
--   moments AggregateFunction(groupUniqArray, Tuple(DateTime64(6, 'UTC'), UInt8, Float64, Float64)): Moment, what
--     happened (1 plays, 2 stops, 3 jumps, 4 is completed), the position, and the position after.
--   length SimpleAggregateFunction(max, Float64): Length of the video in seconds; 0 while unknown.
--   last_at SimpleAggregateFunction(max, DateTime64(6, 'UTC')): Last moment.
WITH toUInt8(transform(CAST(verb AS String), ['played', 'paused', 'terminated', 'seeked', 'completed'], [1, 2, 2, 3, 4], 0)) AS act
SELECT
    course_key,
    object_id AS video_key,
    actor_id,
    groupUniqArrayState(
        (emission_time, act, assumeNotNull(position), if(act = 3, assumeNotNull(position_after), assumeNotNull(position)))
    ) AS moments,
    max(if(length BETWEEN 0 AND 86400, length, 0)) AS length,
    max(emission_time) AS last_at
FROM {source}
WHERE object_type = 'video'
    AND match(object_id, '^(ccx-)?block-v1:')
    AND act > 0
    -- A day is the longest video.
    AND position BETWEEN 0 AND 86400
    AND (act != 3 OR position_after BETWEEN 0 AND 86400)
GROUP BY course_key, video_key, actor_id
