using System.Globalization;
using System.Text.Json;
using KpiControl.Control.Hosting;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Alerts.Sending;

/// <summary>PagerDuty's Events API v2. The dedup_key is the episode's: a repeat joins the same incident, a recovery resolves it.</summary>
internal sealed class PagerDutySender(AlertHttp http, IOptions<AlertOptions> options) : IAlertSender
{
    public string Kind => "pagerduty";

    public Task<SendOutcome> SendAsync(string name, IReadOnlyList<AlertFacts> group, CancellationToken token)
    {
        var alert = group[0];
        if (options.Value.Of(alert.TenantId, channels => channels.PagerDuty?.Keys.ContainsKey(name) == true ? channels.PagerDuty : null) is not { } channel)
            return Task.FromResult(SendOutcome.NoChannel($"PagerDuty:Keys:{name}"));
        return http.PostAsync(channel.Url, JsonSerializer.Serialize(new
        {
            routing_key = SecretReference.Read(channel.Keys[name]), event_action = alert.IsRecovery ? "resolve" : "trigger", dedup_key = alert.IncidentKey,
            payload = new
            {
                summary = AlertText.Subject(alert), source = alert.Job, timestamp = alert.OccurredAt.UtcDateTime.ToString("O", CultureInfo.InvariantCulture), component = alert.KpiId, @class = alert.Event,
                severity = (alert.Event, alert.Severity) switch { ("sla_warn" or "skipped", _) => "warning", (_, "high") => "critical", (_, "medium") => "error", _ => "warning" },
                custom_details = new { text = AlertText.Body(alert) },
            },
        }), token);
    }
}
