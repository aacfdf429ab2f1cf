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

    private static readonly Argument<string> Name = new("AGENT") { Description = "The agent's name, as kpictl agents shows it" };

    public static Command Create()
    {
        var command = new Command("agents", "List agents and their sessions, or take one out of service").Online().With(Region, All, Limit, SharedOptions.Output).Does(List);
        command.Add(new Command("drain", "Give an agent no more leases; it finishes what it holds") { Name }
            .Online().With(SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output).Does(Drain));
        command.Add(new Command("resume", "Give a drained agent leases again") { Name }
            .Online().With(SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output).Does(Resume));
        EnrolmentCommands.AddTo(command);
        return command;
    }

    private static async Task<int> Drain(Session session)
    {
        var dryRun = session.Value(SharedOptions.DryRun);
        return Show(session, await session.Fleet.DrainAgentAsync(new DrainAgentRequest
        {
            Agent = session.Value(Name)!, Reason = session.Value(SharedOptions.Reason) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call), dryRun);
    }

    private static async Task<int> Resume(Session session)
    {
        var dryRun = session.Value(SharedOptions.DryRun);
        return Show(session, await session.Fleet.ResumeAgentAsync(new ResumeAgentRequest
        {
            Agent = session.Value(Name)!, Reason = session.Value(SharedOptions.Reason) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call), dryRun);
    }

    private static int Show(Session session, Agent agent, bool dryRun)
    {
        session.Answer.Print(agent, () => session.World.Out.WriteLine($"{agent.Agent_} is {Words(agent)}{(dryRun ? " (dry run: nothing was changed)" : "")}"), () => [agent.Agent_]);
        return ExitCode.Done;
    }

    private static string Words(Agent agent) => agent switch
    {
        { DrainedAt: null } => $"{agent.State}, and takes leases when it is connected",
        { State: "draining" } => $"draining: it holds {agent.Leased} leases, and gets no more until: kpictl agents resume {agent.Agent_}",
        { State: "drained" } => $"drained: it holds nothing, and gets nothing until: kpictl agents resume {agent.Agent_}",
        _ => $"{agent.State}; when it connects again it gets nothing until: kpictl agents resume {agent.Agent_}",
    };

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
            "NODE", "OPENED", "ENDED", "WHY", "DRAINED", "DRAINED WHY").Numeric(3, 4, 9, 10);
        foreach (var agent in agents)
            table.Row(agent.Agent_, agent.Region, Cell.Status(agent.State), agent.Leased, agent.Slots, string.Join(",", agent.Tenants),
                Pairs(agent.Connections, ":"), Pairs(agent.Labels, "="), agent.Build, agent.SessionId, agent.Generation, agent.Instance, agent.Node,
                Ages.Absolute(agent.OpenedAt), Ages.Absolute(agent.EndedAt), agent.EndReason,
                Ages.Absolute(agent.DrainedAt), agent.DrainReason);
        return table;
    }

    private static string Pairs(IEnumerable<KeyValuePair<string, string>> pairs, string between) =>
        string.Join(",", pairs.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => pair.Key + between + pair.Value));
}
