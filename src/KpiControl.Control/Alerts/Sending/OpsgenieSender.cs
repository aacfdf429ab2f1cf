using System.Text.Json;
using KpiControl.Control.Hosting;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Alerts.Sending;

/// <summary>Opsgenie's Alert API. The alias is the episode's: a repeat counts on the same alert, a recovery closes it.</summary>
internal sealed class OpsgenieSender(AlertHttp http, IOptions<AlertOptions> options) : IAlertSender
{
    private const int LongestMessage = 130;

    public string Kind => "opsgenie";

    public Task<SendOutcome> SendAsync(string name, IReadOnlyList<AlertFacts> group, CancellationToken token)
    {
        var alert = group[0];
        if (options.Value.Of(alert.TenantId, channels => channels.Opsgenie) is not { } channel)
            return Task.FromResult(SendOutcome.NoChannel("Opsgenie"));
        var key = ("Authorization", $"GenieKey {SecretReference.Read(channel.ApiKey)}");
        if (alert.IsRecovery)
            return http.PostAsync($"{channel.Url.TrimEnd('/')}/{Uri.EscapeDataString(alert.IncidentKey)}/close?identifierType=alias",
                JsonSerializer.Serialize(new { source = "kpicontrol", note = AlertText.Body(alert) }), token, headers: key);
        var subject = AlertText.Subject(alert);
        return http.PostAsync(channel.Url, JsonSerializer.Serialize(new
        {
            message = subject.Length > LongestMessage ? subject[..LongestMessage] : subject, alias = alert.IncidentKey, description = AlertText.Body(alert),
            responders = new[] { new { name, type = "team" } }, priority = alert.Severity switch { "high" => "P1", "medium" => "P3", _ => "P5" }, source = "kpicontrol",
            entity = alert.Job, tags = new[] { alert.Event, alert.TenantId, alert.Environment },
        }), token, headers: key);
    }
}
