-- The GDP tables of the sample warehouse, made anew each time.
-- Ends inside its transaction: load-postgresql.sh appends the rows and the COMMIT.
BEGIN;

DROP TABLE IF EXISTS gdp_electricitygeneration, gdp_employment, gdp_unemployment, gdp_flights, gdp_receivables, gdp_sales;

CREATE TABLE gdp_electricitygeneration (year date NOT NULL, source text NOT NULL, net_generation numeric NOT NULL);

CREATE TABLE gdp_employment (
  month date NOT NULL, nonfarm numeric NOT NULL, private numeric NOT NULL, goods_producing numeric NOT NULL,
  service_providing numeric NOT NULL, private_service_providing numeric NOT NULL, mining_and_logging numeric NOT NULL,
  construction numeric NOT NULL, manufacturing numeric NOT NULL, durable_goods numeric NOT NULL, nondurable_goods numeric NOT NULL,
  trade_transportation_utilties numeric NOT NULL, wholesale_trade numeric NOT NULL, retail_trade numeric NOT NULL,
  transportation_and_warehousing numeric NOT NULL, utilities numeric NOT NULL, information numeric NOT NULL,
  financial_activities numeric NOT NULL, professional_and_business_services numeric NOT NULL,
  education_and_health_services numeric NOT NULL, leisure_and_hospitality numeric NOT NULL, other_services numeric NOT NULL,
  government numeric NOT NULL, nonfarm_change numeric NOT NULL);

CREATE TABLE gdp_unemployment (
  series text NOT NULL, year integer NOT NULL, month integer NOT NULL, count numeric NOT NULL, rate numeric NOT NULL, date timestamptz NOT NULL);

CREATE TABLE gdp_flights (date text NOT NULL, delay integer NOT NULL, distance integer NOT NULL, origin text NOT NULL, destination text NOT NULL);

CREATE TABLE gdp_receivables (
  company_id text NOT NULL, month_end date NOT NULL, customer_id text NOT NULL, ledger_type text NOT NULL, revision integer NOT NULL,
  recorded_on date NOT NULL, open_amount numeric NOT NULL);

CREATE TABLE gdp_sales (
  company_id text NOT NULL, invoice_id text NOT NULL, invoice_date date NOT NULL, customer_id text NOT NULL, sale_type text NOT NULL,
  ledger_type text NOT NULL, revision integer NOT NULL, recorded_on date NOT NULL, amount numeric NOT NULL);
