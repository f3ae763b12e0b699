def test_x(clickhouse, db, all_on):
    assert clickhouse.columns()
