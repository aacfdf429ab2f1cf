using System.Net;
using Microsoft.Extensions.Options;

namespace KpiControl.Agent.Hosting;

/// <summary><c>kpi-agent health</c>: asks the agent that runs with the same settings, for supervisors that can only run a command.</summary>
internal static class HealthProbe
{
    public const string Command = "health";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <returns>0 where it is ready.</returns>
    public static async Task<int> RunAsync(IConfiguration configuration, TextWriter said)
    {
        var listen = configuration.GetSection(HealthOptions.Section).Get<HealthOptions>()?.Listen ?? "";
        if (HealthOptions.Endpoint(listen) is not { Port: > 0 } endpoint)
        {
            await said.WriteLineAsync($"kpi-agent health: Agent:Health:Listen '{listen}' names no address and port to ask at.");
            return 1;
        }
        try
        {
            using var http = new HttpClient { Timeout = Patience };
            using var answer = await http.GetAsync(new Uri($"http://{Reached(endpoint)}/health/ready"));
            await said.WriteLineAsync(await answer.Content.ReadAsStringAsync());
            return answer.IsSuccessStatusCode ? 0 : 1;
        }
        catch (Exception error) when (error is HttpRequestException or TaskCanceledException)
        {
            await said.WriteLineAsync($"kpi-agent health: nothing answers at {Reached(endpoint)}: {error.Message}");
            return 1;
        }
    }

    // What listens everywhere is asked on loopback.
    private static IPEndPoint Reached(IPEndPoint endpoint) =>
        endpoint.Address.Equals(IPAddress.Any) ? new IPEndPoint(IPAddress.Loopback, endpoint.Port)
        : endpoint.Address.Equals(IPAddress.IPv6Any) ? new IPEndPoint(IPAddress.IPv6Loopback, endpoint.Port) : endpoint;
}
