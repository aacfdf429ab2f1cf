-- An operator bumps the epoch through the API, under the role of requests.
GRANT UPDATE (epoch, timeline, bumped_at) ON kpi_cluster TO kpi_requests;
