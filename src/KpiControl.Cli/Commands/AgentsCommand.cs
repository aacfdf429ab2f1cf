using System.CommandLine;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class AgentsCommand
{
    private static readonly Option<string?> Region = new("--region") { Description = "Only of this region", HelpName = "REGION" };
    private static readonly Option<bool> All = new("--all", "-a") { Description = "Sessions that ended, too" };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most so many", HelpName = "N", DefaultValueFactory = _ => 200 };

    public static Command Create(Surroundings world) =>
        new Command("agents", "List agents and their sessions").Online().With(Region, All, Limit, SharedOptions.Output).Does(world, List);

    private static async Task<int> List(Session session)
    {
        var all = new ListAgentsResponse();
        await Pages.Read(session, session.Value(Limit), async (size, token) =>
        {
            var page = await session.Fleet.ListAgentsAsync(new ListAgentsRequest
            {
                Region = session.Value(Region) ?? "", IncludeEnded = session.Value(All), PageSize = size, PageToken = token,
            }, session.Call);
            all.Agents.AddRange(page.Agents);
            all.NextPageToken = page.NextPageToken;
            return (page.Agents.Count, page.NextPageToken);
        });
        session.Answer.Print(all, () => Print(session, all.Agents), () => all.Agents.Select(agent => agent.Agent_));
        return ExitCode.Done;
    }

    private static void Print(Session session, IReadOnlyCollection<Agent> agents)
    {
        if (agents.Count == 0)
            session.World.Error.WriteLine("no live agents: jobs wait as unroutable until one connects (sessions that ended: --all)");
        else
            (session.Answer.Wide ? Wide(agents) : Narrow(agents, session.World.Clock.GetUtcNow())).WriteTo(session.World);
    }

    private static TextTable Narrow(IReadOnlyCollection<Agent> agents, DateTimeOffset now)
    {
        var table = new TextTable("AGENT", "REGION", "STATE", "LEASED", "SLOTS", "TENANTS", "CONNECTIONS", "BUILD", "SINCE").Numeric(3, 4);
        foreach (var agent in agents)
            table.Row(agent.Agent_, agent.Region, Cell.Status(agent.State), agent.Leased, agent.Slots, string.Join(",", agent.Tenants),
                Pairs(agent.Connections, ":"), agent.Build, Ages.Relative(agent.EndedAt ?? agent.OpenedAt, now));
        return table;
    }

    private static TextTable Wide(IReadOnlyCollection<Agent> agents)
    {
        var table = new TextTable("AGENT", "REGION", "STATE", "LEASED", "SLOTS", "TENANTS", "CONNECTIONS", "LABELS", "BUILD", "SESSION", "GENERATION", "INSTANCE",
            "NODE", "OPENED", "ENDED", "WHY").Numeric(3, 4, 9, 10);
        foreach (var agent in agents)
            table.Row(agent.Agent_, agent.Region, Cell.Status(agent.State), agent.Leased, agent.Slots, string.Join(",", agent.Tenants),
                Pairs(agent.Connections, ":"), Pairs(agent.Labels, "="), agent.Build, agent.SessionId, agent.Generation, agent.Instance, agent.Node,
                Ages.Absolute(agent.OpenedAt), Ages.Absolute(agent.EndedAt), agent.EndReason);
        return table;
    }

    private static string Pairs(IEnumerable<KeyValuePair<string, string>> pairs, string between) =>
        string.Join(",", pairs.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => pair.Key + between + pair.Value));
}
