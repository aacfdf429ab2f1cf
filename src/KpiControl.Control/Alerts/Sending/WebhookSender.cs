using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using KpiControl.Control.Hosting;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Alerts.Sending;

/// <summary>A CloudEvent in structured mode, its body signed. The event's id is the message's: a receiver that has it has it.</summary>
internal sealed class WebhookSender(AlertHttp http, IOptions<AlertOptions> options) : IAlertSender
{
    public const string SignatureHeader = "X-KpiControl-Signature-256";

    private static readonly JsonSerializerOptions Words = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public string Kind => "webhook";

    public Task<SendOutcome> SendAsync(string name, IReadOnlyList<AlertFacts> group, CancellationToken token)
    {
        var alert = group[0];
        if (options.Value.Of(alert.TenantId, channels => channels.Webhooks.GetValueOrDefault(name)) is not { } channel)
            return Task.FromResult(SendOutcome.NoChannel($"Webhooks:{name}"));
        var body = Event(alert);
        return http.PostAsync(channel.Url, body, token, contentType: "application/cloudevents+json",
            headers: (SignatureHeader, Sign(SecretReference.Read(channel.Secret), body)));
    }

    public static string Sign(string secret, string body) =>
        $"sha256={Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(body)))}";

    private static string Event(AlertFacts a) => JsonSerializer.Serialize(new
    {
        specversion = "1.0", id = a.MessageKey, source = $"/kpicontrol/{a.Job}", type = $"com.kpicontrol.alert.{a.Event}", subject = $"binding/{a.BindingId}",
        time = a.OccurredAt.UtcDateTime.ToString("O", CultureInfo.InvariantCulture), datacontenttype = "application/json",
        data = new
        {
            a.TenantId, a.Environment, a.JobId, a.BindingId, a.KpiId, a.ContractVersion, a.Event, a.Severity, a.Clock, a.EpisodeId, a.OpenedAt, a.BreachedAt, a.OccurredAt, a.Needs,
            a.RunId, a.Status, a.Reason, a.ErrorCode, a.ErrorMessage, a.ScheduledFor, a.BusinessDate, a.DefinitionHash, a.ContractDigest, LastSuccessRunId = a.LastRunId,
            ChangedSince = a.LastRunId is null ? null : AlertText.Changes(a), a.HeldSince, Text = AlertText.Body(a),
        },
    }, Words);
}
