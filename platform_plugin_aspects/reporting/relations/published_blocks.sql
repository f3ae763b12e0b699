-- One row: a block of a course, as the course was last published. Blocks that are gone are left out.
-- From: the platform's blocks (event_sink.course_blocks) of the newest time_last_dumped of their course. It is read once,
--   and apart from course_structure, because learner_standing needs nothing else of a block.
-- Key: the course and the block.
-- Read by: relations
-- Freshness: with the next read after a publish was delivered
-- Columns:
--   course_key: Key of the course.
--   usage_key: Usage key of the block.
--   org: Organization.
--   block_name: Name of the block.
--   course_order: Place in the course, from 1.
--   block_type: Type of the block, such as "problem".
--   section: Number of the section, from 1; 0 for what is above or beside sections.
--   subsection: Number of the subsection in its section, from 1, or 0.
--   unit: Number of the unit in its subsection, from 1, or 0.
--   graded: Whether the block counts for the grade.
--   completable: Whether learners complete the block itself, as course_structure has it.
WITH
    JSONExtract(
        block.3,
        'Tuple(block_type String, section UInt32, subsection UInt32, unit UInt32, graded UInt8, detached UInt8, completion_mode String)'
    ) AS data
SELECT
    course_key,
    location AS usage_key,
    block.1 AS org,
    block.2 AS block_name,
    block.4 AS course_order,
    data.block_type AS block_type,
    data.section AS section,
    data.subsection AS subsection,
    data.unit AS unit,
    data.graded = 1 AS graded,
    -- The platform takes a block that does not say for completable.
    data.completion_mode IN ('completable', '') AND data.detached = 0 AS completable
FROM
(
    SELECT
        course_key,
        location,
        max(time_last_dumped) AS dumped,
        max(dumped) OVER (PARTITION BY course_key) AS newest,
        argMax(
            (org, display_name, xblock_data_json, toInt32(`order`)),
            (time_last_dumped, org, display_name, xblock_data_json, `order`)) AS block
    FROM {event_sink.course_blocks}
    GROUP BY course_key, location
)
WHERE dumped = newest
