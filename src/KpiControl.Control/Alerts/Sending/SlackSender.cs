using System.Text.Json;
using KpiControl.Control.Hosting;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Alerts.Sending;

/// <summary>Slack: <c>chat.postMessage</c> with a bot's token, or a channel's incoming webhook. Slack has no key that would make a repeat the same message.</summary>
internal sealed class SlackSender(AlertHttp http, IOptions<AlertOptions> options) : IAlertSender
{
    public string Kind => "slack";

    public Task<SendOutcome> SendAsync(string name, IReadOnlyList<AlertFacts> group, CancellationToken token)
    {
        if (options.Value.Of(group[0].TenantId, channels => channels.Slack) is not { } channel)
            return Task.FromResult(SendOutcome.NoChannel("Slack"));
        var text = AlertText.Body(group);
        if (channel.Webhooks.TryGetValue(name.TrimStart('#'), out var hook))
            return http.PostAsync(SecretReference.Read(hook), JsonSerializer.Serialize(new { text }), token);
        return channel.Token.Length == 0
            ? Task.FromResult(SendOutcome.NoChannel($"Slack:Webhooks:{name.TrimStart('#')}"))
            : http.PostAsync(channel.Url, JsonSerializer.Serialize(new { channel = name, text, unfurl_links = false }), token, Refusal,
                headers: ("Authorization", $"Bearer {SecretReference.Read(channel.Token)}"));
    }

    // One of its codes, as channel_not_found: what else answers may repeat the token, and this is kept with the message.
    private static bool IsWord(string error) => error.Length <= 64 && error.All(c => char.IsAsciiLetterLower(c) || c == '_');

    // Slack answers 200 to what it refuses.
    private static string? Refusal(string body)
    {
        try
        {
            using var answer = JsonDocument.Parse(body);
            return answer.RootElement.TryGetProperty("ok", out var ok) && ok.GetBoolean() ? null
                : $"Slack refused it: {(answer.RootElement.TryGetProperty("error", out var error) && error.GetString() is { } word && IsWord(word) ? word : "no reason given")}";
        }
        catch (Exception malformed) when (malformed is JsonException or InvalidOperationException)
        {
            return "Slack's answer is not JSON";
        }
    }
}
