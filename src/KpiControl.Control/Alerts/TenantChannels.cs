using KpiControl.Control.Alerts.Sending;
using KpiControl.Control.Hosting;
using KpiControl.Jobs.Calls;

namespace KpiControl.Control.Alerts;

/// <summary>The channels of a tenant, by what its artifacts call them.</summary>
internal sealed class TenantChannels
{
    public EmailChannel? Email { get; set; }
    public SlackChannel? Slack { get; set; }
    public OpsgenieChannel? Opsgenie { get; set; }
    public PagerDutyChannel? PagerDuty { get; set; }
    /// <summary>By the name behind <c>webhook:</c>.</summary>
    public Dictionary<string, WebhookChannel> Webhooks { get; set; } = new(StringComparer.OrdinalIgnoreCase);

    public IEnumerable<string> Mistakes() =>
    [
        .. Email is null ? [] : Email.Mistakes().Select(mistake => $"Email:{mistake}"),
        .. Slack is null ? [] : Slack.Mistakes().Select(mistake => $"Slack:{mistake}"),
        .. Opsgenie is null ? [] : Url("Url", Opsgenie.Url).Concat(Secret("ApiKey", Opsgenie.ApiKey)).Select(mistake => $"Opsgenie:{mistake}"),
        .. PagerDuty is null ? [] : Url("Url", PagerDuty.Url).Concat(PagerDuty.Keys.SelectMany(key => Secret($"Keys:{key.Key}", key.Value))).Select(mistake => $"PagerDuty:{mistake}"),
        .. Webhooks.SelectMany(hook => Url("Url", hook.Value.Url).Concat(Secret("Secret", hook.Value.Secret)).Select(mistake => $"Webhooks:{hook.Key}:{mistake}")),
    ];

    /// <summary>Plain HTTP is for this machine alone.</summary>
    public static IEnumerable<string> Url(string name, string url)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https") || uri.UserInfo.Length > 0)
            yield return $"{name} '{url}' is not an http(s) address without credentials";
        else if (uri.Scheme == "http" && !CallableAddresses.NamesLoopback(uri.Host))
            yield return $"{name} '{url}' is plain HTTP: use https";
    }

    public static IEnumerable<string> Secret(string name, string reference) =>
        SecretReference.Mistake(reference) is { } mistake ? [$"{name} {mistake}"] : [];
}

/// <summary>An SMTP server that takes the tenant's mail.</summary>
internal sealed class EmailChannel
{
    public string Host { get; set; } = "";
    public int Port { get; set; } = 587;
    /// <summary><c>starttls</c>, <c>tls</c>, or <c>none</c> on this machine.</summary>
    public string Security { get; set; } = "starttls";
    public string User { get; set; } = "";
    public string Password { get; set; } = "";
    public string From { get; set; } = "";
    /// <summary>Domains that mail goes to; none: any.</summary>
    public List<string> Domains { get; set; } = [];
    /// <summary>PEM file of an authority that signed the server's certificate, where the system does not know it.</summary>
    public string CaFile { get; set; } = "";

    public IEnumerable<string> Mistakes()
    {
        if (Host.Length == 0 || Port is < 1 or > 65_535)
            yield return "Host and Port name no server";
        if (Security is not ("starttls" or "tls" or "none"))
            yield return $"Security '{Security}' is none of starttls, tls and none";
        if (Security == "none" && !CallableAddresses.NamesLoopback(Host))
            yield return "Security none is for a server on this machine alone";
        if (!MimeKit.MailboxAddress.TryParse(From, out _))
            yield return $"From '{From}' is not a mail address";
        if (User.Length > 0 && SecretReference.Mistake(Password) is { } mistake)
            yield return $"Password {mistake}";
        if (CaFile.Length > 0 && !File.Exists(CaFile))
            yield return $"CaFile '{CaFile}' does not exist";
    }
}

/// <summary>Slack: a bot's token for <c>chat.postMessage</c>, or an incoming webhook for each channel.</summary>
internal sealed class SlackChannel
{
    public string Url { get; set; } = "https://slack.com/api/chat.postMessage";
    public string Token { get; set; } = "";
    /// <summary>By channel, without its <c>#</c>: a reference to the webhook's address, which is a secret.</summary>
    public Dictionary<string, string> Webhooks { get; set; } = new(StringComparer.OrdinalIgnoreCase);

    public IEnumerable<string> Mistakes() =>
    [
        .. Token.Length > 0 ? TenantChannels.Url("Url", Url).Concat(TenantChannels.Secret("Token", Token)) : [],
        .. Token.Length == 0 && Webhooks.Count == 0 ? ["Token and Webhooks are both missing"] : Array.Empty<string>(),
        .. Webhooks.SelectMany(hook => SecretReference.Mistake(hook.Value) is { } mistake ? [$"Webhooks:{hook.Key} {mistake}"]
            : TenantChannels.Url("", SecretReference.Read(hook.Value)).Any() ? [$"Webhooks:{hook.Key} leads to a secret that is not an https address"] : Array.Empty<string>()),
    ];
}

internal sealed class OpsgenieChannel
{
    public string Url { get; set; } = "https://api.opsgenie.com/v2/alerts";
    public string ApiKey { get; set; } = "";
}

internal sealed class PagerDutyChannel
{
    public string Url { get; set; } = "https://events.pagerduty.com/v2/enqueue";
    /// <summary>By the name behind <c>pagerduty:</c>: a reference to the integration's routing key.</summary>
    public Dictionary<string, string> Keys { get; set; } = new(StringComparer.OrdinalIgnoreCase);
}

/// <summary>An address that takes CloudEvents, signed.</summary>
internal sealed class WebhookChannel
{
    public string Url { get; set; } = "";
    /// <summary>A reference to what the body is signed with.</summary>
    public string Secret { get; set; } = "";
}
