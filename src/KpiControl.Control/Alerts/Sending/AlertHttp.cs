using System.Net.Sockets;
using System.Text;
using KpiControl.Control.Hosting;

namespace KpiControl.Control.Alerts.Sending;

/// <summary>The one client of all channels that speak HTTP: it calls what the settings name, follows no redirect, and reads little.</summary>
internal sealed class AlertHttp : IDisposable
{
    private const int MostBytes = 64 * 1024;

    private readonly HttpClient client = new(CalledAddress.Handler()) { MaxResponseContentBufferSize = MostBytes, Timeout = System.Threading.Timeout.InfiniteTimeSpan };

    /// <summary>Posts JSON; the caller's token bounds the time.</summary>
    /// <param name="judge">What a successful status' body says went wrong; null: nothing.</param>
    public async Task<SendOutcome> PostAsync(string url, string json, CancellationToken token, Func<string, string?>? judge = null, string contentType = "application/json", params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new StringContent(json, Encoding.UTF8, contentType) };
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        try
        {
            using var response = await client.SendAsync(request, token);
            var status = (int)response.StatusCode;
            if (status is >= 300 and < 400)
                return SendOutcome.Failed($"it answered {status}: redirects are not followed");
            if (!response.IsSuccessStatusCode)
                return SendOutcome.Failed($"it answered {status}");
            return judge?.Invoke(await response.Content.ReadAsStringAsync(token)) is { } wrong ? SendOutcome.Failed(wrong) : SendOutcome.Sent;
        }
        // An address may be a secret (an incoming webhook's): the message of the exception has at most the host.
        catch (HttpRequestException error)
        {
            return SendOutcome.Failed(error.InnerException is SocketException or IOException ? error.InnerException.Message : $"it could not be reached ({error.HttpRequestError})");
        }
    }

    public void Dispose() => client.Dispose();
}

/// <summary>How a try ended.</summary>
/// <param name="Error">Null: it was taken.</param>
/// <param name="IsFinal">Trying again changes nothing.</param>
internal sealed record SendOutcome(string? Error, bool IsFinal = false)
{
    public static readonly SendOutcome Sent = new((string?)null);

    public static SendOutcome Failed(string error) => new(error);

    public static SendOutcome NoChannel(string what) => new($"{what} is not configured for the tenant: set it under Alerts:Channels, then kpictl alerts resend", IsFinal: true);
}
