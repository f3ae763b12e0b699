-- One row: a block of a course, as the course was last published. Blocks that are gone are left out.
-- From: published_blocks, which are the platform's blocks (event_sink.course_blocks) of the newest time_last_dumped.
-- Key: the course and the block.
-- Population: Blocks of the course as it was last published.
-- Read by: boards
-- Freshness: with the next read after a publish was delivered
-- Columns:
--   org: Organization.
--   course_key: Key of the course.
--   usage_key: Usage key of the block.
--   block_id: Last part of the usage key.
--   block_type: Type of the block, such as "problem".
--   block_name: Name of the block.
--   course_order: Place in the course, from 1.
--   section: Number of the section, from 1; 0 for what is above or beside sections.
--   subsection: Number of the subsection in its section, from 1, or 0.
--   unit: Number of the unit in its subsection, from 1, or 0.
--   place: Numbers of the section, the subsection and the unit as a text, such as "1.2.3", or "1.2" for a subsection;
--     empty above and beside sections. Smaller numbers begin with a zero if one of their kind has two digits somewhere
--     in the course, so that places sort in the order of the course.
--   section_name: Name of the section.
--   subsection_name: Name of the subsection.
--   unit_name: Name of the unit.
--   subsection_key: Usage key of the subsection; empty above one.
--   unit_key: Usage key of the unit; empty above one.
--   graded: Whether the block counts for the grade.
--   completable: Whether learners complete the block itself, such as a text, a problem or a video. Blocks beside the
--     course's tree, such as its about page, are not.
SELECT
    org,
    course_key,
    usage_key,
    extract(usage_key, '@([^@/]+)$') AS block_id,
    block_type,
    block_name,
    course_order,
    section,
    subsection,
    unit,
    arrayStringConcat(
        arrayFilter(
            number -> match(number, '[1-9]'),
            [
                leftPad(toString(section), length(toString(max(section) OVER (PARTITION BY course_key))), '0'),
                leftPad(toString(subsection), length(toString(max(subsection) OVER (PARTITION BY course_key))), '0'),
                leftPad(toString(unit), length(toString(max(unit) OVER (PARTITION BY course_key))), '0')
            ]),
        '.') AS place,
    max(if(block_type = 'chapter', block_name, '')) OVER (PARTITION BY course_key, section) AS section_name,
    max(if(block_type = 'sequential', block_name, ''))
        OVER (PARTITION BY course_key, section, subsection) AS subsection_name,
    max(if(block_type = 'vertical', block_name, ''))
        OVER (PARTITION BY course_key, section, subsection, unit) AS unit_name,
    max(if(block_type = 'sequential', usage_key, ''))
        OVER (PARTITION BY course_key, section, subsection) AS subsection_key,
    max(if(block_type = 'vertical', usage_key, ''))
        OVER (PARTITION BY course_key, section, subsection, unit) AS unit_key,
    graded,
    completable
FROM {published_blocks}
