-- One row: what a learner watched of a video.
-- From: videos. A span goes from where the player plays to the next stop, jump or completion at a later position; it
--   needs no statement between them, so that a lost stop costs its own span only.
-- Key: the course, the video and the learner.
-- Read by: relations
-- Freshness: at once
-- Columns:
--   course_key: Key of the course.
--   video_key: Usage key of the video.
--   actor_id: Id of the learner in statements.
--   length: Length of the video in seconds; 0 while it is unknown.
--   spans: The spans, as (from, to) in seconds.
--   starts: Seconds at which spans start, in order. A span holds each second of which it played a part.
--   ends: Seconds before which spans end, in order.
--   first_starts: Seconds at which the spans start that hold each second that was played once, in order.
--   first_ends: Seconds before which those end, in order.
--   has_played: Whether the learner played any of it.
--   has_ended: Whether the learner played its last second.
--   last_at: Last moment.
SELECT
    course_key,
    video_key,
    actor_id,
    length,
    spans,
    starts,
    ends,
    first_starts,
    first_ends,
    notEmpty(ends) AS has_played,
    has_played AND length > 0 AND arrayMax(ends) >= ceil(length) AS has_ended,
    last_at
FROM
(
    SELECT
        course_key,
        video_key,
        actor_id,
        max(videos.length) AS length,
        arraySort(groupUniqArrayMerge(videos.moments)) AS moments_in_order,
        -- Whether it plays after each moment: jumps and completion change nothing.
        arrayMap(
            act -> act = 1,
            arrayFill(act -> act <= 2, arrayMap(moment -> moment.2, moments_in_order))) AS plays,
        arrayFilter(
            span -> span.2 > span.1,
            arrayMap(
                (moment, is_playing, following) -> if(is_playing AND following.2 != 1, (moment.4, following.3), (0., 0.)),
                arrayPopBack(moments_in_order),
                arrayPopBack(plays),
                arrayPopFront(moments_in_order))) AS spans,
        arraySort(arrayMap(span -> toUInt32(floor(span.1)), spans)) AS starts,
        arraySort(arrayMap(span -> toUInt32(ceil(span.2)), spans)) AS ends,
        -- Nothing plays between an end and the next start when as many spans have ended as have started.
        arrayMap((end, start) -> end <= start, arrayPopBack(ends), arrayPopFront(starts)) AS gaps,
        arrayFilter((start, is_first) -> is_first, starts, arrayResize(arrayPushFront(gaps, true), length(starts))) AS first_starts,
        arrayFilter((end, is_last) -> is_last, ends, arrayResize(arrayPushBack(gaps, true), length(ends))) AS first_ends,
        max(videos.last_at) AS last_at
    FROM {videos} AS videos
    GROUP BY course_key, video_key, actor_id
)
