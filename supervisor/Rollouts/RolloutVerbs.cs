using System.CommandLine;
using Spectre.Console;
using Vks.Supervisor.ControlPlane;
using Vks.Supervisor.Hosts;

namespace Vks.Supervisor.Rollouts;

/// <summary><c>supervisor rollout</c>: a rolling replacement, looked at, paused and resumed.</summary>
internal static class RolloutVerbs
{
    /// <summary>The verb.</summary>
    public static Command Build() => new("rollout", "The rolling replacement of a control plane's members that apply does") { Status(), Pause(), Resume() };

    private static Command Status()
    {
        Option<string> file = ApplyVerb.FileOption();
        Option<string?> state = ApplyVerb.StateOption();
        Command command = new("status", "Each member, whether it is as the file says, and what apply would do next; ends with 1 when it would do something") { file, state };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            ControlPlaneSettings settings = ControlPlaneSettingsFile.Load(parsed.GetRequiredValue(file));
            StateFolder folder = StateFolder.Of(parsed.GetValue(state), settings.Name);
            MemberBook book = folder.Read() ?? throw new SupervisorException(SupervisorFault.Precondition, $"{folder.Path} has no control plane. Do: supervisor apply -f, which makes one");
            return await ShowAsync(settings, folder, book, Screen.On(parsed.InvocationConfiguration.Output), cancellationToken);
        });
        return command;
    }

    private static Command Pause()
    {
        Option<string> file = ApplyVerb.FileOption();
        Option<string?> state = ApplyVerb.StateOption();
        Command command = new("pause", "Lets an apply that is at work end after the step that it is at, and keeps others from beginning") { file, state };
        command.SetAction(parsed =>
        {
            ControlPlaneSettings settings = ControlPlaneSettingsFile.Load(parsed.GetRequiredValue(file));
            StateFolder.Of(parsed.GetValue(state), settings.Name).IsPaused = true;
            parsed.InvocationConfiguration.Output.WriteLine($"{settings.Name}: paused");
        });
        return command;
    }

    private static Command Resume()
    {
        Option<string> file = ApplyVerb.FileOption();
        Option<string?> state = ApplyVerb.StateOption();
        Option<int> minutes = ApplyVerb.LimitOption();
        Command command = new("resume", "Ends a pause, and goes on as apply does") { file, state, minutes };
        command.SetAction((parsed, cancellationToken) => ApplyVerb.RunAsync(
            ControlPlaneSettingsFile.Load(parsed.GetRequiredValue(file)), parsed.GetValue(state), parsed.GetValue(minutes), resume: true, parsed.InvocationConfiguration.Output, cancellationToken));
        return command;
    }

    private static async Task<int> ShowAsync(ControlPlaneSettings settings, StateFolder folder, MemberBook book, IAnsiConsole screen, CancellationToken cancellationToken)
    {
        using MemberHosts hosts = new(settings, folder.Pki, TimeProvider.System);
        using EtcdMembers etcd = new(settings.Name, folder.Pki, TimeProvider.System);
        RolloutLook look = new(settings, hosts.Reach, etcd, TimeProvider.System);
        RolloutView view = await look.LookAsync(book, about: "", TimeSpan.Zero, cancellationToken);
        Table table = Screen.Table("MEMBER", "HOST", "ZONE", "ADDRESS", "PHASE", "API", "ETCD", "VERSION", "AS THE FILE SAYS");
        foreach (MemberView member in view.Members)
        {
            EtcdEntry? entry = view.Etcd.Members.FirstOrDefault(entry => entry.Address.Equals(member.Address));
            string role = entry is null ? "not in it" : entry.IsLearner ? "learner" : entry.Id == view.Etcd.Leader ? "leads" : "follows";
            table.Add(
                member.Ready, member.Name, member.Host, member.Zone, member.Address + (member.HasFloatingAddress ? $", {settings.FloatingAddress}" : ""), member.Phase.ToString(),
                member.Ready ? "serves" : member.Runs ? "does not serve" : "does not run", role, look.States.GetValueOrDefault(member.Name)?.KubernetesVersion, member.IsWanted ? "yes" : "no");
        }

        screen.Write(table);
        RolloutStep next = RolloutPlan.Next(look.Wish, view);
        screen.WriteLine(folder.IsPaused ? "paused; supervisor rollout resume -f goes on" : book.Stopped.Length > 0 ? $"stopped: {book.Stopped}" : next is RolloutStep.Done ? "is as the file says" : "is not as the file says");
        if (next is not RolloutStep.Done)
        {
            screen.WriteLine($"next: {Words(next)}");
        }

        return next is RolloutStep.Done ? 0 : 1;
    }

    private static string Words(RolloutStep step) => step switch
    {
        RolloutStep.Reserve reserve => $"{reserve.Member} comes on {reserve.Host.Name} at {reserve.Address}{(reserve.InPlaceOf.Length > 0 ? $", in place of {reserve.InPlaceOf}" : "")}",
        RolloutStep.AddLearner or RolloutStep.Start or RolloutStep.Promote or RolloutStep.AwaitReady or RolloutStep.Admit => $"{step.Member} joins",
        RolloutStep.Settle => "all members get settings files that name all of them",
        RolloutStep.Blocked blocked => $"nothing: {blocked.Why}",
        _ => $"{step.Member} leaves",
    };
}
