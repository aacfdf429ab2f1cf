-- The GDP tables of the sample warehouse as views over the CSV files: a changed file counts at the next run.
-- ${data_directory} is the connection's `data_directory`, put in by the agent.
-- Nothing is guessed from a file: its dialect and types are stated, which also spares reading samples of it at every statement.

CREATE OR REPLACE VIEW GDP_ElectricityGeneration AS SELECT * FROM read_csv('${data_directory}/iowa-electricity.csv', auto_detect = false, header = true, columns = {
    'year': 'DATE', 'source': 'VARCHAR', 'net_generation': 'DECIMAL(18,4)'});

CREATE OR REPLACE VIEW GDP_Employment AS SELECT * FROM read_csv('${data_directory}/us-employment.csv', auto_detect = false, header = true, columns = {
    'month': 'DATE', 'nonfarm': 'DECIMAL(18,4)', 'private': 'DECIMAL(18,4)', 'goods_producing': 'DECIMAL(18,4)',
    'service_providing': 'DECIMAL(18,4)', 'private_service_providing': 'DECIMAL(18,4)', 'mining_and_logging': 'DECIMAL(18,4)',
    'construction': 'DECIMAL(18,4)', 'manufacturing': 'DECIMAL(18,4)', 'durable_goods': 'DECIMAL(18,4)',
    'nondurable_goods': 'DECIMAL(18,4)', 'trade_transportation_utilties': 'DECIMAL(18,4)', 'wholesale_trade': 'DECIMAL(18,4)',
    'retail_trade': 'DECIMAL(18,4)', 'transportation_and_warehousing': 'DECIMAL(18,4)', 'utilities': 'DECIMAL(18,4)',
    'information': 'DECIMAL(18,4)', 'financial_activities': 'DECIMAL(18,4)', 'professional_and_business_services': 'DECIMAL(18,4)',
    'education_and_health_services': 'DECIMAL(18,4)', 'leisure_and_hospitality': 'DECIMAL(18,4)',
    'other_services': 'DECIMAL(18,4)', 'government': 'DECIMAL(18,4)', 'nonfarm_change': 'DECIMAL(18,4)'});

CREATE OR REPLACE VIEW GDP_Unemployment AS SELECT * FROM read_csv('${data_directory}/unemployment-across-industries.csv', auto_detect = false, header = true, columns = {
    'series': 'VARCHAR', 'year': 'INTEGER', 'month': 'INTEGER', 'count': 'DECIMAL(18,4)', 'rate': 'DECIMAL(9,4)',
    'date': 'VARCHAR'});

CREATE OR REPLACE VIEW GDP_Flights AS SELECT * FROM read_csv('${data_directory}/flights-5k.csv', auto_detect = false, header = true, columns = {
    'date': 'VARCHAR', 'delay': 'INTEGER', 'distance': 'INTEGER', 'origin': 'VARCHAR', 'destination': 'VARCHAR'});

CREATE OR REPLACE VIEW GDP_Receivables AS SELECT * FROM read_csv('${data_directory}/receivables.csv', auto_detect = false, header = true, columns = {
    'company_id': 'VARCHAR', 'month_end': 'DATE', 'customer_id': 'VARCHAR', 'ledger_type': 'VARCHAR', 'revision': 'INTEGER',
    'recorded_on': 'DATE', 'open_amount': 'DECIMAL(18,2)'});

CREATE OR REPLACE VIEW GDP_Sales AS SELECT * FROM read_csv('${data_directory}/sales.csv', auto_detect = false, header = true, columns = {
    'company_id': 'VARCHAR', 'invoice_id': 'VARCHAR', 'invoice_date': 'DATE', 'customer_id': 'VARCHAR', 'sale_type': 'VARCHAR',
    'ledger_type': 'VARCHAR', 'revision': 'INTEGER', 'recorded_on': 'DATE', 'amount': 'DECIMAL(18,2)'});
